"""A header that stores the `KernelLayout` of packed data.

Little-endian int64: the rank r, the permutation [r], the kernel's shape [r] and
the shape of the view [3], which is positions, inputs and units.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.packing.bits import graph_integers
from tf_rigl.core.packing.corruption import check

_INTEGER = 8  # bytes


def pack(layout: KernelLayout) -> bytes:
    """Packs a layout to bytes."""
    numbers = (
        len(layout.permutation),
        *layout.permutation,
        *layout.kernel_shape,
        *layout.shape,
    )
    return struct.pack(f"<{len(numbers)}q", *numbers)


def unpack(
    data: bytes, shape: Sequence[int], numbers_after: struct.Struct, what: str
) -> tuple[KernelLayout, tuple[Any, ...], bytes]:
    """Reads a layout, the numbers after it and the remaining bytes.

    Raises:
        CorruptDataError: if the data do not start with the layout of a kernel
            of this shape, or the numbers, which `what` describes, are missing.
    """
    rank = len(shape)
    count = 1 + 2 * rank + 3
    size = count * _INTEGER
    check(
        len(data) >= size,
        f"The layout of a kernel of rank {rank} must have {size} bytes.",
        f"{len(data)} bytes",
    )

    numbers = struct.unpack(f"<{count}q", data[:size])
    kernel_shape = numbers[1 + rank : 1 + 2 * rank]
    check(
        numbers[0] == rank and kernel_shape == tuple(shape),
        f"The layout must be that of a kernel of shape {tuple(shape)}.",
        f"rank={numbers[0]}, shape={kernel_shape}",
    )

    positions, inputs, units = numbers[1 + 2 * rank :]
    check(
        min(positions, inputs, units) >= 0,
        "The sizes of a view must not be negative.",
        f"view={(positions, inputs, units)}",
    )

    permutation, view = numbers[1 : 1 + rank], (positions, inputs, units)
    try:
        layout = KernelLayout(permutation, view, kernel_shape)
    except ValueError as error:
        check(False, "The layout must be valid.", str(error))
        raise

    rest = data[size:]
    check(
        len(rest) >= numbers_after.size,
        f"{what} must have {numbers_after.size} bytes.",
        f"{len(rest)} bytes",
    )
    after = numbers_after.unpack_from(rest)
    return layout, after, rest[numbers_after.size :]


def view(array: np.ndarray, layout: KernelLayout) -> np.ndarray:
    """Applies `KernelLayout.view` to an array: [positions, inputs, units]."""
    return np.transpose(array, layout.permutation).reshape(layout.shape)


def unview(array: np.ndarray, layout: KernelLayout) -> np.ndarray:
    """Inverts `view`."""
    permuted = [layout.kernel_shape[axis] for axis in layout.permutation]
    inverse = np.argsort(layout.permutation)
    return np.transpose(array.reshape(permuted), inverse)


class GraphLayout:
    """A layout header whose contents are known only when the graph runs.

    Attributes:
        view: int64 [3], positions, inputs and units.
        rest: uint8 [bytes], the data after the header.
    """

    def __init__(self, data: tf.Tensor) -> None:
        (rank,) = graph_integers(data, 1)
        size = (1 + 2 * rank + 3) * _INTEGER
        head, self.rest = tf.split(data, [size, -1])
        numbers = tf.bitcast(tf.reshape(head, [-1, _INTEGER]), tf.int64)
        _, permutation, self._kernel_shape, self.view = tf.split(
            numbers, [1, rank, rank, 3]
        )
        self._permutation = tf.cast(permutation, tf.int32)

    def positions(self, mask: tf.Tensor) -> tf.Tensor:
        """Returns the flat kernel positions where a mask of the view is true.

        The positions are int64 of shape [true entries], increasing.
        """
        permuted = tf.gather(self._kernel_shape, self._permutation)
        kernel = tf.transpose(
            tf.reshape(mask, permuted),
            tf.math.invert_permutation(self._permutation),
        )
        return tf.squeeze(tf.where(tf.reshape(kernel, [-1])), 1)
