"""Calls of layers by their factors, one after the other.

They are TensorFlow's operations, so that both Kerases share them. Each takes
the built layer, its inputs and the factors of a kernel as matrices, [rows,
rank], perhaps [rank, rank], and [rank, columns].
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.factors import layouts

Factors = Sequence[tf.Tensor]


def dense(layer: Any, inputs: Any, factors: Factors) -> Any:
    """Computes `Dense` by thin matrix products."""
    outputs = inputs
    for factor in factors:
        outputs = _product(outputs, factor)
    return _finished(layer, outputs)


def einsum(
    layer: Any, inputs: Any, factors: Factors, shape: tuple[int, ...]
) -> Any:
    """Computes `EinsumDense` by one equation for each factor.

    Args:
        layer: the layer.
        inputs: its inputs.
        factors: the factors of its kernel.
        shape: the shape of the kernel.
    """
    layout = layouts.of_kernel(layer, layouts.MATRIX, len(shape))
    kernels = layouts.einsum_kernels(factors, layout, shape)
    outputs = inputs
    equations = layouts.equations(layer.equation, len(factors))
    for equation, kernel in zip(equations, kernels, strict=True):
        outputs = tf.einsum(equation, outputs, kernel)
    return _finished(layer, outputs)


def convolution(
    layer: Any,
    inputs: Any,
    factors: Factors,
    shape: tuple[int, ...],
    form: str,
) -> Any:
    """Computes `Conv1D` or `Conv2D` by thin convolutions.

    Strides, dilation and padding of each axis of space are those of the factor
    that has it.

    Args:
        layer: the layer.
        inputs: its inputs.
        factors: the factors of its kernel.
        shape: the shape of the kernel.
        form: `layouts.SPATIAL` or `layouts.CHANNELS`.
    """
    layout = layouts.of_kernel(layer, form, len(shape))
    space = range(len(shape) - 2)
    read = [axis for axis in space if axis in layout.row_axes]
    made = [axis for axis in space if axis not in read]

    outputs = inputs
    kernels = layouts.convolution_kernels(factors, layout, shape)
    for number, kernel in enumerate(kernels):
        axes = read if number == 0 else ()
        axes = made if number == len(kernels) - 1 else axes
        outputs = _convolved(layer, outputs, kernel, axes)

    if layer.use_bias:
        bias = tf.convert_to_tensor(layer.bias)
        if layer.data_format == "channels_first":
            bias = tf.reshape(bias, [1, -1, *(1 for _ in space)])
        outputs = outputs + bias
    return _activated(layer, outputs)


def _convolved(
    layer: Any, inputs: Any, kernel: Any, axes: Sequence[int]
) -> tf.Tensor:
    """Convolves with the strides and dilation of some axes of space."""
    rank = len(layer.kernel_size)
    strides = [layer.strides[a] if a in axes else 1 for a in range(rank)]
    dilations = [
        layer.dilation_rate[a] if a in axes else 1 for a in range(rank)
    ]
    channels_first = layer.data_format == "channels_first"
    padding = layer.padding

    if padding == "causal":
        padding = "valid"
        before = dilations[0] * (kernel.shape[0] - 1)
        space = [[before, 0]]
        around = [[0, 0], [0, 0], *space] if channels_first else None
        inputs = tf.pad(inputs, around or [[0, 0], *space, [0, 0]])
    names = "WHD"[:rank] if rank == 1 else "HW"
    return tf.nn.convolution(
        inputs,
        kernel,
        strides=strides,
        padding=padding.upper(),
        data_format=f"NC{names}" if channels_first else f"N{names}C",
        dilations=dilations,
    )


def _product(inputs: Any, matrix: tf.Tensor) -> tf.Tensor:
    """Multiplies along the last axis of inputs of any rank."""
    inputs = tf.cast(inputs, matrix.dtype)
    if inputs.shape.rank == 2:
        return tf.matmul(inputs, matrix)
    outputs = tf.tensordot(inputs, matrix, [[inputs.shape.rank - 1], [0]])
    outputs.set_shape([*inputs.shape[:-1], matrix.shape[-1]])
    return outputs


def _finished(layer: Any, outputs: tf.Tensor) -> Any:
    if layer.bias is not None:
        outputs = outputs + tf.convert_to_tensor(layer.bias)
    return _activated(layer, outputs)


def _activated(layer: Any, outputs: tf.Tensor) -> Any:
    return outputs if layer.activation is None else layer.activation(outputs)
