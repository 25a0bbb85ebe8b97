"""Where the kernels of each layer have their inputs and units."""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.kernel_layout import axes_layout
from tf_rigl.masking.eligibility import known_class


class Axes(NamedTuple):
    """The axes of a kernel that are inputs and units, the rest positions."""

    inputs: list[int]
    units: list[int]


def kernel_layout(layer: Any, variable: Any) -> KernelLayout:
    """How structures see a weight of a layer.

    The last axis holds the units, the one before it the inputs and all
    others are positions: so it is in Dense (in, out), in convolutions (h, w,
    in, out), in the cells of RNNs (in, gates · units), in the pointwise
    kernels of separable convolutions and in embeddings (tokens, features).
    A vector is the inputs of one unit. The exceptions:

    - Transposed convolutions, (h, w, out, in), have them the other way round.
    - In depthwise convolutions, (h, w, in, multiplier), each channel and
      multiplier is a unit with one input.
    - In EinsumDense and the projections of attention the axes that the
      equation sums over are inputs, all others are units.

    A weight that a class adds to one of these layers, and any weight of an
    unknown layer, follows the rule.

    Args:
        layer: the layer of either Keras that owns the weight.
        variable: the weight, built.

    Returns:
        The layout of the weight's shape.
    """
    shape = tuple(variable.shape)
    name = known_class(layer, EXCEPTIONS)
    if name is not None:
        exception = EXCEPTIONS[name]
        if any(
            getattr(layer, attribute, None) is variable
            for attribute in exception.weights
        ):
            return axes_layout(shape, *exception.axes(layer, len(shape)))
    return axes_layout(shape, *_last_axes(len(shape)))


def _last_axes(rank: int) -> Axes:
    if rank < 2:
        return Axes(list(range(rank)), [])
    return Axes([rank - 2], [rank - 1])


def _transposed(layer: Any, rank: int) -> Axes:
    del layer
    return Axes([rank - 1], [rank - 2])


def _depthwise(layer: Any, rank: int) -> Axes:
    del layer
    return Axes([], [rank - 2, rank - 1])


def _einsum(layer: Any, rank: int) -> Axes:
    """Axes that the output lacks are summed over."""
    operands, output = layer.equation.split("->")
    kernel = operands.split(",")[1]
    summed = [axis for axis in range(rank) if kernel[axis] not in output]
    return Axes(summed, [axis for axis in range(rank) if axis not in summed])


class _Exception(NamedTuple):
    weights: tuple[str, ...]  # attributes of the layer
    axes: Callable[[Any, int], Axes]  # of the layer and the weight's rank


_TRANSPOSED = _Exception(("kernel",), _transposed)
# Keras 3 names the weight `kernel`, Keras 2 `depthwise_kernel`.
_DEPTHWISE = _Exception(("depthwise_kernel", "kernel"), _depthwise)

# Layer classes of either Keras, by name. A user's subclass counts as its
# base.
EXCEPTIONS: dict[str, _Exception] = {
    "Conv1DTranspose": _TRANSPOSED,
    "Conv2DTranspose": _TRANSPOSED,
    "Conv3DTranspose": _TRANSPOSED,
    "DepthwiseConv1D": _DEPTHWISE,
    "DepthwiseConv2D": _DEPTHWISE,
    "EinsumDense": _Exception(("kernel",), _einsum),
}
