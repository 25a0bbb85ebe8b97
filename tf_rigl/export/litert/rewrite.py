"""Rewrites dense LiteRT models so that their weights are stored sparse.

A sparse constant is followed by an operator `DENSIFY`, which unpacks it once,
when the interpreter is created. Where XNNPACK finds such an operator, it tries
to run the graph sparse.

TensorFlow's converter can store weights sparse, too
(`tf.lite.Optimize.EXPERIMENTAL_SPARSITY`). In TensorFlow 2.21 it was seen to
have these faults, which the code here avoids:

* It stores every weight sparse that has 30 % zeros. Weights with less than
  about half zeros grow.
* It stores fully connected weights in blocks of four if their zeros lie in rows
  of four. If the number of inputs is not a multiple of four, the rest is lost
  and the outputs are wrong.
* With dynamic-range quantization, XNNPACK claims operators that it then cannot
  prepare, so that the interpreter does not load the file by default.
* With float16, transposed convolutions compute garbage under XNNPACK.
* With int8 weights and activations, LiteRT 2.1 and later do not load files that
  have a fully connected operator; see `pointwise`.
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

# The operators whose weights may be sparse. The weight is their second input.
WEIGHTED = frozenset(
    {
        _OPERATOR.CONV_2D,
        _OPERATOR.DEPTHWISE_CONV_2D,
        _OPERATOR.FULLY_CONNECTED,
        _OPERATOR.TRANSPOSE_CONV,
    }
)
# Observed bytes that an operator and its output tensor add to a file, and those
# of a scale and a zero point, of which a quantized tensor has one per unit.
_OPERATOR_BYTES = 280
_SCALE_BYTES = 12


def sparsify(model: Any, row_major: bool = True) -> dict[str, str]:
    """Stores constants sparse if that is smaller and the kernels can run them.

    Unlike `tf_rigl.sparsify`, this changes no values.

    Args:
        model: a `ModelT`, changed in place.
        row_major: whether to keep the order of dimensions; see `sparse.encode`.

    Returns:
        The reason for each weight with zeros that stays dense, by its name.
    """
    reasons = {}
    for subgraph in model.subgraphs:
        consumers = format.consumers(subgraph)
        # Iterate over a copy, because `_densify` appends tensors.
        for index, tensor in enumerate(list(subgraph.tensors)):
            array = _weight(model, tensor)
            if array is None or array.all():
                continue

            reason = _why_dense(model, subgraph, index, consumers)
            if reason and not array.any():
                # This is no weight but, for instance, the initial state of a
                # loop. It is not worth reporting.
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
    """Stores a weight sparse if that is smaller.

    Args:
        model: the `ModelT`.
        subgraph: the subgraph of the weight.
        index: index of the weight's tensor.
        array: values of the weight.
        users: consumers of the weight; see `format.consumers`.
        row_major: see `sparse.encode`.

    Returns:
        The reason why the weight stays dense; "" if it became sparse.
    """
    tensor = subgraph.tensors[index]
    added_bytes = _overhead(tensor)
    to_convolution = pointwise.is_needed(model, subgraph, tensor, users)
    if to_convolution:
        if not pointwise.is_possible(subgraph, users):
            return "LiteRT 2.1 and later take it dense"
        array = array.reshape(pointwise.kernel_shape(array.shape))
        added_bytes += pointwise.added_bytes(tensor, users)

    encoded = sparse.encode(array, row_major)
    if encoded.bytes + added_bytes >= array.nbytes:
        return "smaller dense"

    unpacked = _densify(model, subgraph, index, encoded, users)
    if to_convolution:
        for operator, _ in users:
            pointwise.replace(model, subgraph, operator, unpacked)
    return ""


def _weight(model: Any, tensor: Any) -> np.ndarray | None:
    """Returns the values of a constant that may be a weight, else None."""
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
    consumers: dict[int, list[tuple[Any, int]]],
) -> str:
    """Returns the reason why a constant must be dense; "" if there is none."""
    tensor = subgraph.tensors[index]
    users = consumers.get(index, [])
    if tensor.type == _TYPE.FLOAT16:
        # Float16 weights are first converted to float32; look beyond that.
        users = [
            user
            for operator, _ in users
            if format.kind(model, operator) == _OPERATOR.DEQUANTIZE
            for user in consumers.get(int(operator.outputs[0]), [])
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
    """Estimates the bytes that unpacking a weight adds to the file."""
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
    """Stores a weight sparse and adds operators that unpack it.

    Args:
        model: the `ModelT`.
        subgraph: the subgraph of the weight.
        index: index of the weight's tensor.
        encoded: values and positions of the weight.
        users: its consumers, which take the unpacked tensor from now on.

    Returns:
        The index of the unpacked tensor.
    """
    # The tensor itself becomes sparse, a copy of it the unpacked one. Buffer 0
    # means that the copy is computed.
    tensor = subgraph.tensors[index]
    tensor.shape = list(encoded.shape)
    dense = copy.copy(tensor)
    dense.buffer = 0
    unpacked = format.add_tensor(subgraph, dense, "unpacked")
    _replace_buffer(model, tensor, encoded.values)
    tensor.sparsity = sparse.to_parameters(encoded)

    operators = [_operator(model, _OPERATOR.DENSIFY, index, unpacked)]

    # XNNPACK requires a constant weight for an operator of int8 weights and
    # float inputs. So such weights are converted to float32 as well.
    if tensor.type == _TYPE.INT8 and any(
        _is_hybrid(model, subgraph, operator) for operator, _ in users
    ):
        float_tensor = copy.copy(dense)
        float_tensor.type = _TYPE.FLOAT32
        float_tensor.quantization = None
        floats = format.add_tensor(subgraph, float_tensor, "float")
        operators.append(
            _operator(model, _OPERATOR.DEQUANTIZE, unpacked, floats)
        )
        unpacked = floats

    for operator, position in users:
        inputs = [int(input_) for input_ in operator.inputs]
        inputs[position] = unpacked
        operator.inputs = inputs
    subgraph.operators = [*operators, *subgraph.operators]
    return unpacked


def _is_hybrid(model: Any, subgraph: Any, operator: Any) -> bool:
    """Returns whether an operator with int8 weights takes float inputs."""
    kind = format.kind(model, operator)
    if kind == _OPERATOR.TRANSPOSE_CONV:
        # XNNPACK runs this operator as it is.
        return False
    return subgraph.tensors[operator.inputs[0]].type == _TYPE.FLOAT32


def _replace_buffer(model: Any, tensor: Any, values: np.ndarray) -> None:
    """Stores values in a tensor's buffer, or in a new one if it is shared."""
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
    """Makes a `DENSIFY` or `DEQUANTIZE` from one tensor to another.

    `source` and `target` are indices of tensors.
    """
    operator = schema.OperatorT()
    # `DEQUANTIZE` takes scales per channel since version 5.
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
