"""Kernels of any rank and axis order, seen as [positions, inputs, units].

A structure such as N:M or whole channels is defined on inputs and units.
Where these are in a kernel depends on its layer: a convolution keeps them in
the last two axes, a transposed convolution in the opposite order, an einsum
wherever its equation says. Structures see all of them alike, through a
layout.
"""

import dataclasses
import math
from collections.abc import Sequence

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class KernelLayout:
    """The axes of a kernel that are positions, inputs and units.

    `axes_layout` makes one from the axes.

    Raises:
        ValueError: if `permutation` is none of the kernel's axes, or the
            view has another number of elements than the kernel.
    """

    # The kernel's axes in the order positions, inputs, units.
    permutation: tuple[int, ...]
    # The sizes of the view, [positions, inputs, units].
    shape: tuple[int, int, int]
    kernel_shape: tuple[int, ...]  # the kernel's own shape

    def __post_init__(self) -> None:
        if sorted(self.permutation) != list(range(len(self.kernel_shape))):
            raise ValueError(
                "`permutation` must name each axis of the kernel once. "
                f"Received: permutation={self.permutation} for "
                f"kernel_shape={self.kernel_shape}."
            )
        if math.prod(self.shape) != math.prod(self.kernel_shape):
            raise ValueError(
                "The view must have as many elements as the kernel. "
                f"Received: shape={self.shape} for "
                f"kernel_shape={self.kernel_shape}."
            )

    def view(self, tensor: tf.Tensor) -> tf.Tensor:
        """Returns a tensor of the kernel's shape as the structures see it."""
        return tf.reshape(_transpose(tensor, self.permutation), self.shape)

    def unview(self, tensor: tf.Tensor) -> tf.Tensor:
        """Inverts `view`: returns a tensor of the kernel's shape."""
        permuted = [self.kernel_shape[axis] for axis in self.permutation]
        inverse = sorted(
            range(len(self.permutation)), key=self.permutation.__getitem__
        )
        return _transpose(tf.reshape(tensor, permuted), tuple(inverse))


def axes_layout(
    kernel_shape: Sequence[int], inputs: Sequence[int], units: Sequence[int]
) -> KernelLayout:
    """Returns the layout of a kernel by the axes of its inputs and units.

        >>> axes_layout((3, 3, 16, 32), inputs=[2], units=[3]).shape
        (9, 16, 32)

    All other axes are positions; no axis stands for one input or unit.

    Raises:
        ValueError: if an axis is named twice or is none of the kernel's.
    """
    shape = tuple(int(size) for size in kernel_shape)
    named = (*inputs, *units)
    positions = [axis for axis in range(len(shape)) if axis not in named]
    permutation = (*positions, *named)
    # An axis that the kernel has not must reach the check of the layout.
    sizes = dict(enumerate(shape))
    view = tuple(
        math.prod(sizes.get(axis, 1) for axis in axes)
        for axes in (positions, inputs, units)
    )
    return KernelLayout(permutation, (view[0], view[1], view[2]), shape)


def _transpose(tensor: tf.Tensor, permutation: tuple[int, ...]) -> tf.Tensor:
    if permutation == tuple(range(len(permutation))):
        return tensor
    return tf.transpose(tensor, permutation)
