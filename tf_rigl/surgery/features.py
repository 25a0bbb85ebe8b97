"""Knowledge of the tensors of a model."""

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.core.channel_graph import Channels

Shape = tuple[int | None, ...]


class Features(NamedTuple):
    """The last axis of a tensor.

    A constant holds at inference, for every input, at every position.
    """

    channels: Channels  # [features] int64: the channel of each feature
    constants: np.ndarray  # [features] float64, NaN where not constant

    def zeros(self) -> np.ndarray:
        """Returns the constants that are 0, NaN for all others."""
        return np.where(self.constants == 0, self.constants, np.nan)


class Untrackable(Exception):
    """A layer whose channels cannot be followed; all of them are kept."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a layer in a functional or sequential model."""

    layer: Any  # the layer, or the Keras 3 operation
    path: str  # of the layer in the model
    # What is known of each input; None where it has no features.
    inputs: tuple[Features | None, ...]
    # Shape of each input with the batch dimension.
    input_shapes: tuple[Shape, ...]
    # Shape of each output with the batch dimension.
    output_shapes: tuple[Shape, ...]
    # The arguments that are no tensors of the model.
    others: tuple[Any, ...] = ()

    def only_input(self) -> Features:
        """Returns the features of the only input.

        Raises:
            Untrackable: if there are several, or one without features.
        """
        if len(self.inputs) != 1:
            raise Untrackable(f"called on {len(self.inputs)} tensors")
        return self.all_inputs()[0]

    def all_inputs(self) -> list[Features]:
        """Returns the features of each input.

        Raises:
            Untrackable: if one has no features.
        """
        known = [features for features in self.inputs if features is not None]
        if len(known) < len(self.inputs):
            raise Untrackable("called on a tensor without features")
        return known


def evaluate(
    layer: Any, rows: list[np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Computes a layer's outputs of inputs that are the same at all positions.

    In inference mode; of an unknown feature, NaN, 0 is taken. `shape` is the
    inputs' without batch dimension and features; the result, float64
    [features], is the output at its first position.
    """
    inputs = [
        np.broadcast_to(np.nan_to_num(row, nan=0.0), (1, *shape, len(row)))
        for row in rows
    ]
    arrays = [np.asarray(one, np.float32) for one in inputs]
    outputs = layer(arrays if len(arrays) > 1 else arrays[0])
    values = np.asarray(outputs, np.float64)
    return values.reshape(-1, values.shape[-1])[0]


def positions(call: Call) -> tuple[int, ...]:
    """Returns the smallest shape that has the rank of the input: all ones."""
    return (1,) * (len(call.input_shapes[0]) - 2)


def varying(channels: Channels) -> Features:
    """Returns features of which none is constant."""
    return Features(channels, np.full(len(channels), np.nan))


def common(rows: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Returns what is the same in all rows [features], else NaN."""
    same = (np.asarray(rows) == rows[0]).all(axis=0)
    return np.where(same, rows[0], np.nan)
