"""Layers that multiply by a matrix, or convolve: kernels to compress."""

import math
import re
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.backend.sparse_convolution import Window

# The attribute with the weight of all of these layers.
KERNEL = "kernel"


# Why a weight of another layer is not compressed.
NO_MATRIX = "its layer does more than multiply by a matrix or convolve"


class Matrix(NamedTuple):
    """The product of a layer: of its last axes, or windows, by a matrix."""

    inputs: int  # K, the number of the matrix's inputs
    input_rank: int  # number of the last axes of the inputs that K spans
    output_shape: tuple[int, ...]  # the axes in their place, of N elements
    # Brings inputs into this form.
    prepare: Callable[[tf.Tensor], tf.Tensor] = lambda inputs: inputs
    # Of a convolution, of which inputs are [batch, height, width, channels].
    window: Window | None = None
    # The axes before the channels that the layer's inputs have, 1 or 2.
    space: int = 0


def matrix_of(layer: Any) -> Matrix | None:
    """Returns the product that a built layer computes, None if another."""
    flavor = flavors.flavor_of(layer)
    cls = flavors.plain_class(layer)
    for name, find in _LAYERS.items():
        base = getattr(flavor.keras.layers, name)
        # A subclass may compute something else.
        own_call = getattr(cls, "call", None)
        if issubclass(cls, base) and own_call is base.call:
            return find(layer)
    return None


def may_be_matrix(layer: Any) -> bool:
    """Returns whether a layer, built or not, is of a class that may be one."""
    flavor = flavors.flavor_of(layer)
    cls = flavors.plain_class(layer)
    bases = [getattr(flavor.keras.layers, name) for name in _LAYERS]
    return any(
        issubclass(cls, base) and getattr(cls, "call", None) is base.call
        for base in bases
    )


def _dense(layer: Any) -> Matrix:
    axes = layer.input_spec.axes
    return Matrix(int(axes[-1]), 1, (layer.units,))


def _einsum(layer: Any) -> Matrix | None:
    """Returns the product of an equation such as `"...ab,abcd->...cd"`."""
    found = re.fullmatch(
        r"(\.\.\.)?(\w+),(\w+)->(\.\.\.)?(\w+)", layer.equation.replace(" ", "")
    )
    if found is None or found[1] != found[4]:
        return None
    left, weight, right = found[2], found[3], found[5]
    summed = [axis for axis in weight if axis not in right]
    kept = [axis for axis in weight if axis in right]
    batch = left[: len(left) - len(summed)]
    is_matrix = (
        "".join(summed + kept) == weight
        and left == batch + "".join(summed)
        and right == batch + "".join(kept)
        and not set(batch) & set(weight)
        and len(set(left)) == len(left)
        and summed
        and kept
    )
    if not is_matrix:
        return None
    shape = tuple(int(size) for size in _kernel_shape(layer))
    return Matrix(
        math.prod(shape[: len(summed)]), len(summed), shape[len(summed) :]
    )


def _convolution(layer: Any) -> Matrix | None:
    """Returns the product of windows of the inputs."""
    if layer.groups != 1 or layer.data_format != "channels_last":
        return None
    if all(size == 1 for size in layer.kernel_size):
        return _pointwise(layer)
    if layer.rank > 2:
        return None

    def of_both(sizes: Any) -> tuple[int, int]:
        rows, columns = (1, *map(int, sizes))[-2:]
        return rows, columns

    shape = tuple(map(int, _kernel_shape(layer)))
    return Matrix(
        math.prod(shape[:-1]),
        1,
        shape[-1:],
        window=Window(
            of_both(layer.kernel_size),
            of_both(layer.strides),
            of_both(layer.dilation_rate),
            layer.padding,
        ),
        space=layer.rank,
    )


def _pointwise(layer: Any) -> Matrix:
    """Returns the product of a convolution that looks at one position."""
    strides = tuple(layer.strides)

    def prepare(inputs: tf.Tensor) -> tf.Tensor:
        if all(stride == 1 for stride in strides):
            return inputs
        steps = [slice(None, None, stride) for stride in strides]
        return inputs[tuple([slice(None), *steps, slice(None)])]

    return Matrix(
        int(_kernel_shape(layer)[-2]), 1, (int(layer.filters),), prepare
    )


def _kernel_shape(layer: Any) -> Any:
    return getattr(layer, KERNEL).shape


_LAYERS: dict[str, Callable[[Any], Matrix | None]] = {
    "Dense": _dense,
    "EinsumDense": _einsum,
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "Conv3D": _convolution,
}
