"""The channels and constants of the tensors of a model."""

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.core.channel_graph import Channels

Shape = tuple[int | None, ...]


class Features(NamedTuple):
    """The features along the last axis of a tensor.

    A feature is constant if it has the same value at inference for every input
    and at every position.
    """

    channels: Channels  # [features] int64: the channel of each feature
    constants: np.ndarray  # [features] float64, NaN if not constant

    def zeros(self) -> np.ndarray:
        """Returns `constants` with NaN for all that are not 0."""
        return np.where(self.constants == 0, self.constants, np.nan)


class Untrackable(Exception):
    """Raised if the channels of a layer cannot be followed and so are kept."""


@dataclasses.dataclass(frozen=True)
class Operand:
    """The place of a tensor of the model among the arguments of a call."""

    index: int  # of the first such tensor in `Call.inputs`


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a layer in a functional or sequential model."""

    layer: Any  # the layer, or the Keras 3 operation
    path: str  # the layer's path in the model
    inputs: tuple[Features | None, ...]  # None for an input without features
    # The shapes include the batch dimension.
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    # The arguments other than tensors of the model.
    others: tuple[Any, ...] = ()
    # The positional and the keyword arguments, an `Operand` for each tensor.
    arguments: tuple[Any, Any] = ((), {})

    def only_input(self) -> Features:
        """Returns the features of the only input.

        Raises:
            Untrackable: if there are several inputs, or it has no features.
        """
        if len(self.inputs) != 1:
            raise Untrackable(f"called on {len(self.inputs)} tensors")
        return self.all_inputs()[0]

    def all_inputs(self) -> list[Features]:
        """Returns the features of each input.

        Raises:
            Untrackable: if an input has no features.
        """
        known = [features for features in self.inputs if features is not None]
        if len(known) < len(self.inputs):
            raise Untrackable("called on a tensor without features")
        return known


def evaluate(
    layer: Any, rows: list[np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Calls a layer, in inference mode, on inputs equal at all positions.

    `rows` has the features of each input, with 0 taken for NaN, and `shape`
    the axes between batch and features. Returns the output at its first
    position, float64 [features].
    """
    arrays = [at_one_position(row, shape) for row in rows]
    outputs = layer(arrays if len(arrays) > 1 else arrays[0])
    values = np.asarray(outputs, np.float64)
    return values.reshape(-1, values.shape[-1])[0]


def at_one_position(row: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns features as a tensor equal at all positions, 0 for NaN.

    The result is float32 [1, *shape, features].
    """
    values = np.nan_to_num(row, nan=0.0).astype(np.float32)
    return np.broadcast_to(values, (1, *shape, len(row)))


def positions(call: Call) -> tuple[int, ...]:
    """Returns a shape of ones for the axes between batch and features."""
    return (1,) * (len(call.input_shapes[0]) - 2)


def varying(channels: Channels) -> Features:
    """Returns features of which none is constant."""
    return Features(channels, np.full(len(channels), np.nan))


def common(rows: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Returns the values [features] that all rows share, else NaN."""
    same = (np.asarray(rows) == rows[0]).all(axis=0)
    return np.where(same, rows[0], np.nan)
