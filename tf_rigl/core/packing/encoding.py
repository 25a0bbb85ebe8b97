"""The interface of mask encodings."""

import abc
import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import tensorflow as tf

from tf_rigl.core import kernel_layout


class MaskEncoding(abc.ABC):
    """A format for the positions of a weight's kept elements.

    Positions are flat, in C order; the values are stored separately, see
    `values`. Each encoding can be decoded in two ways: by NumPy, which checks
    all of the data, and by graph ops that every TensorFlow has, so that a
    SavedModel can decode itself.
    """

    # The name used in arguments, files and reports.
    name: ClassVar[str]
    # Approximate size of the decoding graph ops in a SavedModel.
    graph_bytes: ClassVar[int]
    # `graph_join` decodes several masks at once if they keep fewer elements.
    join_limit: ClassVar[float] = 0

    @abc.abstractmethod
    def encode(
        self, mask: np.ndarray, layout: kernel_layout.KernelLayout | None = None
    ) -> bytes | None:
        """Packs a bool mask of any shape, or returns None if it does not fit.

        `layout` says how structures see the weight. By default the last axis
        holds the units and the one before it the inputs.
        """

    @abc.abstractmethod
    def decode(self, data: bytes, shape: Sequence[int]) -> np.ndarray:
        """Inverts `encode` for a mask of the given shape.

        The memory allocated is bounded by the shape and the length of the data,
        even if the data are malicious.

        Raises:
            CorruptDataError: if the data do not encode a mask of this shape.
        """

    @abc.abstractmethod
    def graph_positions(
        self, data: tf.Tensor, kept: tf.Tensor | int
    ) -> tf.Tensor:
        """Returns the positions of the kept elements, by graph ops.

        `data` is uint8 [bytes], the packed mask; positions are int64,
        increasing.
        """

    def order(self, data: bytes) -> int:
        """Returns the key by which masks are sorted before `graph_join`."""
        del data
        return 0

    def parts(self, data: bytes) -> list[int]:
        """Returns the sizes in bytes of the parts that `graph_join` takes."""
        return [len(data)]

    def graph_join(
        self,
        masks: Sequence[bytes],
        parts: Sequence[Sequence[tf.Tensor]],
        sizes: Sequence[int],
    ) -> tf.Tensor:
        """Returns the positions of the kept elements of several weights.

        Runs as graph ops on masks sorted by `order` that keep fewer than
        `join_limit` elements in total. `parts` are the uint8 [bytes] tensors
        that `self.parts` describes. The weights lie one after the other; if
        there are several, each is padded to a multiple of 8 elements. The
        positions are int64 [kept], increasing.
        """
        raise NotImplementedError

    def graph_place(
        self,
        data: tf.Tensor,
        values: tf.Tensor,
        kept: tf.Tensor | int,
        size: tf.Tensor | int,
        positions: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Scatters the values of the kept elements into a flat tensor.

        Args:
            data: uint8 [bytes], the packed mask.
            values: [kept elements], of any numeric dtype.
            kept: number of kept elements, int64 scalar.
            size: number of elements of the result, at least that of the weight.
            positions: the positions of the kept elements, if they are known.
        """
        if positions is None:
            positions = self.graph_positions(data, kept)
        return place(positions, values, size)


def place(
    positions: tf.Tensor, values: tf.Tensor, size: tf.Tensor | int
) -> tf.Tensor:
    """Scatters values into a zero tensor of shape [size], by graph ops.

    The positions are int64, increasing and below `size`.
    """
    return tf.raw_ops.SparseToDense(
        sparse_indices=positions,
        output_shape=tf.convert_to_tensor([size], tf.int64),
        sparse_values=values,
        default_value=tf.zeros([], values.dtype),
        # Fail on unordered positions instead of returning a wrong weight.
        validate_indices=True,
    )


def default_layout(shape: Sequence[int]) -> kernel_layout.KernelLayout:
    """Returns the layout assumed for a weight whose layer is not known."""
    rank = len(shape)
    if rank < 2:
        return kernel_layout.axes_layout(shape, list(range(rank)), [])
    return kernel_layout.axes_layout(shape, [rank - 2], [rank - 1])


def mask_of_positions(
    positions: np.ndarray, shape: Sequence[int]
) -> np.ndarray:
    """Returns a mask of the given shape, true at the flat positions."""
    mask = np.zeros(math.prod(shape), bool)
    mask[positions] = True
    return mask.reshape(shape)
