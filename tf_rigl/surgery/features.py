"""What is known of the tensors of a model."""

import dataclasses
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


class Untrackable(Exception):
    """A layer whose channels cannot be followed; all of them are kept."""


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a layer in a functional or sequential model.

    Attributes:
        layer: the layer, or the Keras 3 operation.
        path: of the layer in the model.
        inputs: what is known of each input; None where it has no features.
        input_shapes: shape of each input with the batch dimension.
        output_shapes: shape of each output with the batch dimension.
        others: the arguments that are no tensors of the model.
    """

    layer: Any
    path: str
    inputs: tuple[Features | None, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    others: tuple[Any, ...] = ()

    def only_input(self) -> Features:
        """Features of the only input.

        Raises:
            Untrackable: where there are several, or one without features.
        """
        if len(self.inputs) != 1:
            raise Untrackable(f"called on {len(self.inputs)} tensors")
        return self.all_inputs()[0]

    def all_inputs(self) -> list[Features]:
        """Features of each input.

        Raises:
            Untrackable: where one has no features.
        """
        known = [features for features in self.inputs if features is not None]
        if len(known) < len(self.inputs):
            raise Untrackable("called on a tensor without features")
        return known


def evaluate(
    layer: Any, rows: list[np.ndarray], shape: tuple[int, ...]
) -> np.ndarray:
    """Computes a layer's outputs of inputs that are the same at all positions.

    Args:
        layer: a layer, called in inference mode.
        rows: for each input its features; NaN, where they are not known, is
            taken for 0.
        shape: of the inputs, without batch dimension and features.

    Returns:
        float64 [features]: the output at its first position.
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
    """The smallest shape that has the rank of the input: all ones."""
    return (1,) * (len(call.input_shapes[0]) - 2)


def no_constants(count: int) -> np.ndarray:
    """The constants of features of which none is constant."""
    return np.full(count, np.nan)
