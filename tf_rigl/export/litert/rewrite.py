"""Rewrites dense LiteRT models to hold their weights sparse.

A sparse constant is followed by an operator `DENSIFY`, which unpacks it once,
when the interpreter is made; XNNPACK takes that for a sign that the graph may
be run sparse.

TensorFlow's converter can do this by itself
(`tf.lite.Optimize.EXPERIMENTAL_SPARSITY`). Seen in TensorFlow 2.21, and not so
here:

* It compresses whatever has 30 % zeros, so weights that have less than about
  half grow.
* Fully connected weights whose zeros lie in rows of four are stored in blocks
  of four; where the inputs are not a multiple of four the rest is lost, and
  the outputs are wrong.
* With dynamic-range quantization, XNNPACK claims operators that it then cannot
  prepare: the file does not load in the interpreter's default configuration.
* With float16, transposed convolutions compute garbage under XNNPACK.
* With int8 weights and activations, LiteRT 2.1 and later do not load what has
  a fully connected operator; see `pointwise`.
"""

import copy
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from tf_rigl.export.litert import format
from tf_rigl.export.litert import pointwise
from tf_rigl.export.litert import sparse

_OPERATOR = schema.BuiltinOperator
_TYPE = schema.TensorType

# The operators whose weights may be sparse, all as their second input.
WEIGHTED = frozenset(
    {
        _OPERATOR.CONV_2D,
        _OPERATOR.DEPTHWISE_CONV_2D,
        _OPERATOR.FULLY_CONNECTED,
        _OPERATOR.TRANSPOSE_CONV,
    }
)
# Bytes that an operator with its tensor adds to a file, as seen, and those of
# a scale and a zero point, which the tensor has for each unit.
_OPERATOR_BYTES = 280
_SCALE_BYTES = 12


def sparsify(model: Any, row_major: bool = True) -> dict[str, str]:
    """Stores constants sparse where the file shrinks and kernels can run them.

    Unlike `tf_rigl.sparsify` it sets no weight to zero. `model`, a `ModelT`,
    is changed in place; `row_major` is that of `sparse.encode`.

    Returns:
        For each weight with zeros that stays dense, by its name, the reason.
    """
    reasons = {}
    for subgraph in model.subgraphs:
        consumers = format.consumers(subgraph)
        # A copy, since `_densify` appends the tensors that it unpacks to.
        for index, tensor in enumerate(list(subgraph.tensors)):
            array = _weight(model, tensor)
            if array is None or array.all():
                continue

            reason = _why_dense(model, subgraph, index, consumers)
            if reason and not array.any():
                # All zeros and no weight, such as the initial state of a loop:
                # nothing to report.
                continue

            users = consumers.get(index, [])
            reason = reason or _sparsify_weight(
                model, subgraph, index, array, users, row_major
            )
            if reason:
                reasons[format.name(tensor)] = reason

    return reasons


def _sparsify_weight(
    model: Any,
    subgraph: Any,
    index: int,
    array: np.ndarray,
    users: list[tuple[Any, int]],
    row_major: bool,
) -> str:
    """Stores a constant sparse if that is smaller; else returns the reason."""
    tensor = subgraph.tensors[index]
    added = _overhead(tensor)
    convolve = pointwise.is_needed(model, subgraph, tensor, users)
    if convolve:
        if not pointwise.is_possible(subgraph, users):
            return "LiteRT 2.1 and later take it dense"
        array = array.reshape(pointwise.kernel_shape(array.shape))
        added += pointwise.added_bytes(tensor, users)

    encoded = sparse.encode(array, row_major)
    if encoded.bytes + added >= array.nbytes:
        return "smaller dense"

    dense = _densify(model, subgraph, index, encoded, users)
    if convolve:
        for operator, _ in users:
            pointwise.replace(model, subgraph, operator, dense)
    return ""


def _weight(model: Any, tensor: Any) -> np.ndarray | None:
    """Returns the values of a constant if it may be a weight."""
    dtype = format.WEIGHT_TYPES.get(tensor.type)
    shape = format.shape(tensor)
    data = format.data(model, tensor)
    if dtype is None or len(shape) < 2 or data is None or tensor.sparsity:
        return None
    return data.view(dtype).reshape(shape)


def _why_dense(
    model: Any,
    subgraph: Any,
    index: int,
    takers: dict[int, list[tuple[Any, int]]],
) -> str:
    """Explains why a constant cannot be sparse; "" if it can."""
    tensor = subgraph.tensors[index]
    users = takers.get(index, [])
    if tensor.type == _TYPE.FLOAT16:
        # A float16 weight is unpacked to float32 first.
        users = [
            user
            for operator, _ in users
            if format.kind(model, operator) == _OPERATOR.DEQUANTIZE
            for user in takers.get(int(operator.outputs[0]), [])
        ]

    if not users:
        return "no operator takes it"

    for operator, position in users:
        kind = format.kind(model, operator)
        if kind not in WEIGHTED or position != 1:
            return f"{format.kind_name(model, operator)} takes it dense"
        if kind == _OPERATOR.TRANSPOSE_CONV and tensor.type == _TYPE.FLOAT16:
            return "XNNPACK misreads sparse float16 in TRANSPOSE_CONV"

    quantization = tensor.quantization
    zero_points = None if quantization is None else quantization.zeroPoint
    if zero_points is not None and np.any(zero_points):
        return "its zeros are not stored as 0"
    return ""


def _overhead(tensor: Any) -> int:
    """Estimates the bytes that unpacking a tensor adds to the file."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None:
        return _OPERATOR_BYTES
    return _OPERATOR_BYTES + _SCALE_BYTES * len(quantization.scale)


def _densify(
    model: Any,
    subgraph: Any,
    index: int,
    encoded: sparse.Encoded,
    users: list[tuple[Any, int]],
) -> int:
    """Makes a constant sparse and unpacks it for those that take it.

    Returns:
        The index of the unpacked tensor.
    """
    tensor = subgraph.tensors[index]
    tensor.shape = list(encoded.shape)
    dense = copy.copy(tensor)
    dense.buffer = 0
    new = format.add_tensor(subgraph, dense, "unpacked")

    _replace_buffer(model, tensor, encoded.values)
    tensor.sparsity = sparse.to_parameters(encoded)

    steps = [_operator(model, _OPERATOR.DENSIFY, index, new)]
    if tensor.type == _TYPE.INT8 and any(
        _is_hybrid(model, subgraph, operator) for operator, _ in users
    ):
        # Activations are not quantized, so XNNPACK would want the weight of
        # this operator to be a constant.
        unpacked = copy.copy(dense)
        unpacked.type = _TYPE.FLOAT32
        unpacked.quantization = None
        source, new = new, format.add_tensor(subgraph, unpacked, "float")
        steps.append(_operator(model, _OPERATOR.DEQUANTIZE, source, new))

    for operator, position in users:
        inputs = [int(one) for one in operator.inputs]
        inputs[position] = new
        operator.inputs = inputs
    subgraph.operators = [*steps, *subgraph.operators]
    return new


def _is_hybrid(model: Any, subgraph: Any, operator: Any) -> bool:
    """Returns whether an operator with int8 weights takes float inputs."""
    kind = format.kind(model, operator)
    if kind == _OPERATOR.TRANSPOSE_CONV:
        # The delegate runs this one as it is.
        return False
    return subgraph.tensors[operator.inputs[0]].type == _TYPE.FLOAT32


def _replace_buffer(model: Any, tensor: Any, values: np.ndarray) -> None:
    """Gives a tensor a buffer of its own and drops the old one if unused."""
    shared = any(
        other is not tensor and other.buffer == tensor.buffer
        for subgraph in model.subgraphs
        for other in subgraph.tensors
    )
    if shared:
        tensor.buffer = format.add_buffer(model, values)
        return
    model.buffers[tensor.buffer].data = np.frombuffer(
        values.tobytes(), np.uint8
    )


def _operator(model: Any, operation: int, source: int, target: int) -> Any:
    """Makes an operator that unpacks one tensor into another."""
    operator = schema.OperatorT()
    # Versions 3 and 2 of `DEQUANTIZE` take float16 and int8; 5: per channel.
    version = 5 if operation == _OPERATOR.DEQUANTIZE else 1
    operator.opcodeIndex = format.operator_index(model, operation, version)
    operator.inputs = [source]
    operator.outputs = [target]

    if operation == _OPERATOR.DEQUANTIZE:
        operator.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
        operator.builtinOptions = schema.DequantizeOptionsT()
    else:
        operator.builtinOptionsType = schema.BuiltinOptions.DensifyOptions
        operator.builtinOptions = schema.DensifyOptionsT()
    return operator
