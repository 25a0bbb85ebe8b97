"""The interface of encodings of masks."""

import abc
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import tensorflow as tf

from tf_rigl.core import kernel_layout


class MaskEncoding(abc.ABC):
    """A way to store which elements of a weight are kept.

    Positions are flat, in C order; what is kept is stored elsewhere, see
    `values`. Each encoding is read in two ways: by NumPy, which checks
    everything, and by graph ops that any TensorFlow has, so that a
    SavedModel can decode itself.
    """

    # The name under which arguments, files and reports know it.
    name: ClassVar[str]
    # What the graph ops take in a SavedModel, about.
    graph_bytes: ClassVar[int]
    # Of fewer kept elements, `graph_join` can decode several masks at once.
    join_limit: ClassVar[float] = 0

    @abc.abstractmethod
    def encode(
        self, mask: np.ndarray, layout: kernel_layout.KernelLayout | None = None
    ) -> bytes | None:
        """Packs a mask, bool of any shape, or returns None if it cannot.

        `layout` says how structures see the weight; by default the last axis
        holds the units and the one before it the inputs.
        """

    @abc.abstractmethod
    def decode(self, data: bytes, shape: Sequence[int]) -> np.ndarray:
        """Inverts `encode`, for a mask of a shape.

        What is allocated is bounded by the shape and the length of the data,
        whatever the data say.

        Raises:
            CorruptDataError: if the data are no mask of this shape.
        """

    @abc.abstractmethod
    def graph_positions(
        self, data: tf.Tensor, kept: tf.Tensor | int
    ) -> tf.Tensor:
        """Returns the positions of the kept elements, by graph ops.

        From uint8 [bytes], the packed mask, to int64 [kept], increasing.
        """

    def order(self, data: bytes) -> int:
        """Returns the sort key of a packed mask before masks are joined."""
        del data
        return 0

    def parts(self, data: bytes) -> list[int]:
        """Returns the bytes of each part in which `graph_join` takes a mask."""
        return [len(data)]

    def graph_join(
        self,
        masks: Sequence[bytes],
        parts: Sequence[Sequence[tf.Tensor]],
        sizes: Sequence[int],
    ) -> tf.Tensor:
        """Returns the positions of the kept elements of several weights.

        By graph ops, of fewer than `join_limit`, and masks sorted by `order`.
        `parts` are uint8 [bytes], as `parts` says; weights are padded to
        multiples of 8 elements unless there is one only. The positions, int64
        [kept], increase; the weights lie one after the other.
        """
        raise NotImplementedError

    def graph_place(
        self,
        data: tf.Tensor,
        values: tf.Tensor,
        kept: tf.Tensor | int,
        size: tf.Tensor | int,
    ) -> tf.Tensor:
        """Puts the values of the kept elements in their places.

        Args:
            data: uint8 [bytes], the packed mask.
            values: [kept elements], of any numeric dtype.
            kept: their number, int64 scalar.
            size: of the result, flat, at least the number of elements.
        """
        return place(self.graph_positions(data, kept), values, size)


def place(
    positions: tf.Tensor, values: tf.Tensor, size: tf.Tensor | int
) -> tf.Tensor:
    """Puts values in their places in a tensor of shape [size], by graph ops.

    The positions are int64, increasing, below the size; the rest is zero.
    """
    return tf.raw_ops.SparseToDense(
        sparse_indices=positions,
        output_shape=tf.convert_to_tensor([size], tf.int64),
        sparse_values=values,
        default_value=tf.zeros([], values.dtype),
        # Positions that are out of order are an error, not a surprise.
        validate_indices=True,
    )


def default_layout(shape: Sequence[int]) -> kernel_layout.KernelLayout:
    """Returns the layout of a weight of which nothing else is known."""
    rank = len(shape)
    if rank < 2:
        return kernel_layout.axes_layout(shape, list(range(rank)), [])
    return kernel_layout.axes_layout(shape, [rank - 2], [rank - 1])


def mask_of_positions(
    positions: np.ndarray, shape: Sequence[int]
) -> np.ndarray:
    """Returns the mask of a shape that is true at flat positions."""
    mask = np.zeros(math.prod(shape), bool)
    mask[positions] = True
    return mask.reshape(shape)
