"""Replaces fully connected operators of int8 by 1×1 convolutions.

XNNPACK in LiteRT 2.1 to 2.3 claims fully connected operators of int8 even if
their weights are unpacked when the file is loaded. It then cannot prepare them,
and the file does not load; neither do TensorFlow's own sparse int8 files. But
it runs a 1×1 convolution with the same weights, and as fast as a fully
connected operator with dense weights.
"""

import copy
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from tf_rigl.export.litert import format

_OPERATOR = schema.BuiltinOperator
# Observed bytes that a convolution adds to a file in place of a fully connected
# operator, and those of a bias with its scale and zero point, for each unit.
_CONVOLUTION_BYTES = 700
_BIAS_BYTES = 16


def is_needed(
    model: Any, subgraph: Any, weight: Any, users: list[tuple[Any, int]]
) -> bool:
    """Returns whether a weight can be sparse only if convolutions use it.

    `users` are the consumers of the weight; see `format.consumers`.
    """
    int8 = schema.TensorType.INT8
    return weight.type == int8 and all(
        format.kind(model, operator) == _OPERATOR.FULLY_CONNECTED
        and subgraph.tensors[operator.inputs[0]].type == int8
        for operator, _ in users
    )


def is_possible(subgraph: Any, users: list[tuple[Any, int]]) -> bool:
    """Returns whether the outputs of a weight's users can be reshaped.

    A reshape can leave only one size of its result open.
    """
    return all(
        _open_shape(subgraph.tensors[operator.outputs[0]]).count(-1) == 1
        for operator, _ in users
    )


def added_bytes(weight: Any, users: list[tuple[Any, int]]) -> int:
    """Estimates the bytes that `replace` adds to the file for all users."""
    bias_bytes = _BIAS_BYTES * format.shape(weight)[0]
    return sum(
        _CONVOLUTION_BYTES + (0 if _has_bias(operator) else bias_bytes)
        for operator, _ in users
    )


def kernel_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Returns the shape of a fully connected weight as a 1×1 kernel."""
    units, inputs = shape
    return units, 1, 1, inputs


def replace(model: Any, subgraph: Any, operator: Any, kernel: int) -> None:
    """Replaces a fully connected operator by a 1×1 convolution, in place.

    Reshapes before and after it turn rows of features into pictures of one
    pixel and back. `kernel` is the index of the weight's tensor, which has the
    shape that `kernel_shape` returns.
    """
    units, _, _, features = format.shape(subgraph.tensors[kernel])
    source, target = int(operator.inputs[0]), int(operator.outputs[0])
    rows = _like(subgraph, source, (-1, 1, 1, features))
    results = _like(subgraph, target, (-1, 1, 1, units))
    shape = _open_shape(subgraph.tensors[target])

    bias = (
        int(operator.inputs[2])
        if _has_bias(operator)
        else _zero_bias(model, subgraph, source, kernel)
    )

    position = subgraph.operators.index(operator)
    subgraph.operators[position : position + 1] = [
        _reshape(model, subgraph, source, rows, (-1, 1, 1, features)),
        _convolution(
            model,
            [rows, kernel, bias],
            results,
            operator.builtinOptions.fusedActivationFunction,
        ),
        _reshape(model, subgraph, results, target, shape),
    ]


def _has_bias(operator: Any) -> bool:
    return len(operator.inputs) > 2 and operator.inputs[2] >= 0


def _open_shape(tensor: Any) -> tuple[int, ...]:
    """Returns a tensor's shape with -1 for sizes that are open.

    If no size is open, the first one is returned as open, because a user of
    the interpreter can change the batch size.
    """
    signature = tensor.shapeSignature
    if signature is None or len(signature) == 0:
        signature = tensor.shape
    sizes = tuple(map(int, signature))
    return sizes if -1 in sizes else (-1, *sizes[1:])


def _like(subgraph: Any, index: int, shape: tuple[int, ...]) -> int:
    """Adds a copy of a computed tensor with another shape."""
    tensor = copy.copy(subgraph.tensors[index])
    tensor.buffer = 0
    tensor.shape = [max(size, 1) for size in shape]
    tensor.shapeSignature = list(shape)
    return format.add_tensor(subgraph, tensor, "reshaped")


def _zero_bias(model: Any, subgraph: Any, source: int, kernel: int) -> int:
    """Adds a bias of zeros, without which int8 convolutions do not run.

    Its scales are the products of those of the kernel and of the input.
    """
    weight = subgraph.tensors[kernel]
    units = format.shape(weight)[0]
    kernel_scales = np.asarray(weight.quantization.scale, np.float32)
    (input_scale,) = subgraph.tensors[source].quantization.scale

    bias = schema.TensorT()
    bias.type = schema.TensorType.INT32
    bias.quantization = schema.QuantizationParametersT()
    bias.quantization.scale = kernel_scales * np.float32(input_scale)
    bias.quantization.zeroPoint = np.zeros(len(kernel_scales), np.int64)
    return format.add_constant(
        model, subgraph, bias, "bias", np.zeros(units, np.dtype("<i4"))
    )


def _reshape(
    model: Any, subgraph: Any, source: int, target: int, shape: tuple[int, ...]
) -> Any:
    sizes = schema.TensorT()
    sizes.type = schema.TensorType.INT32
    constant = format.add_constant(
        model, subgraph, sizes, "shape", np.array(shape, np.dtype("<i4"))
    )

    options = schema.ReshapeOptionsT()
    options.newShape = list(shape)
    operator = schema.OperatorT()
    operator.opcodeIndex = format.operator_index(model, _OPERATOR.RESHAPE, 1)
    operator.inputs = [source, constant]
    operator.outputs = [target]
    operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
    operator.builtinOptions = options
    return operator


def _convolution(
    model: Any, inputs: list[int], target: int, activation: int
) -> Any:
    """Makes a convolution without padding and strides.

    `inputs` are the indices of its input, kernel and bias.
    """
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = 1
    options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = activation

    operator = schema.OperatorT()
    # `CONV_2D` takes int8 since version 3.
    operator.opcodeIndex = format.operator_index(model, _OPERATOR.CONV_2D, 3)
    operator.inputs = inputs
    operator.outputs = [target]
    operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    operator.builtinOptions = options
    return operator
