"""The channels and constants of the tensors of a model."""

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.core.channel_graph import Channels

Shape = tuple[int | None, ...]

# The axes on which tensors have their features.
FIRST, LAST = 1, -1


class Features(NamedTuple):
    """The features along one axis of a tensor.

    A feature is constant if it has the same value at inference for every input
    and at every position.
    """

    channels: Channels  # [features] int64: the channel of each feature
    constants: np.ndarray  # [features] float64, NaN if not constant
    axis: int = LAST  # or FIRST, of tensors with at least three axes

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
    # The shapes include the batch dimension, and have features last.
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    # The arguments other than tensors of the model.
    others: tuple[Any, ...] = ()
    # The positional and the keyword arguments, an `Operand` for each tensor.
    arguments: tuple[Any, Any] = ((), {})
    axis: int = LAST  # of the features in the tensors themselves

    def is_along_features(self, axis: Any) -> bool:
        """Returns whether an axis, or the only one of a list, is theirs."""
        rank = len(self.input_shapes[0])
        return from_the_front(axis, rank) == [self.axis % rank]

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


def from_the_front(axis: Any, rank: int) -> list[int]:
    """Returns an axis or several as numbers that are not negative."""
    if axis is None:
        return []
    return [int(one) % rank for one in np.ravel(np.asarray(axis))]


def evaluate(
    call: Call, rows: list[np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Calls a layer, in inference mode, on inputs equal at all positions.

    `rows` has the features of each input, with 0 taken for NaN, and `shape`
    the axes other than those of batch and features. Returns the output at its
    first position, float64 [features].
    """
    arrays = [at_all_positions(row, shape, call.axis) for row in rows]
    outputs = call.layer(arrays if len(arrays) > 1 else arrays[0])
    return at_first_position(outputs, call.axis)


def at_all_positions(
    row: np.ndarray, shape: tuple[int, ...], axis: int
) -> np.ndarray:
    """Returns features as a tensor equal at all positions, 0 for NaN.

    The result is float32 [1, *shape, features], with features on `axis`.
    """
    values = np.nan_to_num(row, nan=0.0).astype(np.float32)
    return np.moveaxis(
        np.broadcast_to(values, (1, *shape, len(row))), LAST, axis
    )


def at_first_position(outputs: Any, axis: int) -> np.ndarray:
    """Returns the features of a tensor at one position, float64 [features]."""
    values = np.moveaxis(np.asarray(outputs, np.float64), axis, LAST)
    return values.reshape(-1, values.shape[-1])[0]


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
