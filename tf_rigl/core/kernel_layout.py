"""Views of kernels of any rank and axis order as [positions, inputs, units].

A structure such as N:M or whole channels is defined on inputs and units, but
their axes depend on the layer: a convolution keeps them in the last two axes, a
transposed convolution in the opposite order, and an einsum layer wherever its
equation says. A layout gives structures the same view of all kernels.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class KernelLayout:
    """Assignment of a kernel's axes to positions, inputs and units.

    `axes_layout` builds a layout from the axes of inputs and units.

    Raises:
        ValueError: if `permutation` is not a permutation of the kernel's axes,
            or the view and the kernel differ in their number of elements.
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
        """Reshapes a tensor of the kernel's shape to the structures' view."""
        return tf.reshape(_transpose(tensor, self.permutation), self.shape)

    def coordinates(
        self, positions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns where flat positions of the kernel are in the view.

        Args:
            positions: int64 [n].

        Returns:
            The indices of position, input and unit, each int64 [n].
        """
        axes = np.unravel_index(positions, self.kernel_shape)
        permuted = [self.kernel_shape[axis] for axis in self.permutation]
        flat = np.ravel_multi_index(
            tuple(axes[axis] for axis in self.permutation), tuple(permuted)
        )
        place, inputs, units = np.unravel_index(flat, self.shape)
        return place, inputs, units

    def unview(self, tensor: tf.Tensor) -> tf.Tensor:
        """Inverts `view`: restores a tensor to the kernel's shape."""
        permuted = [self.kernel_shape[axis] for axis in self.permutation]
        inverse = sorted(
            range(len(self.permutation)), key=self.permutation.__getitem__
        )
        return _transpose(tf.reshape(tensor, permuted), tuple(inverse))


def axes_layout(
    kernel_shape: Sequence[int], inputs: Sequence[int], units: Sequence[int]
) -> KernelLayout:
    """Builds the layout of a kernel from the axes of its inputs and units.

        >>> axes_layout((3, 3, 16, 32), inputs=[2], units=[3]).shape
        (9, 16, 32)

    All other axes are positions. If no axis is named for inputs or units, that
    dimension of the view has size 1.

    Raises:
        ValueError: if an axis is named twice or does not exist in the kernel.
    """
    shape = tuple(int(size) for size in kernel_shape)
    named = (*inputs, *units)
    positions = [axis for axis in range(len(shape)) if axis not in named]
    permutation = (*positions, *named)
    # An axis that does not exist must reach the check in KernelLayout, whose
    # message names it, so it does not raise a KeyError here.
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
