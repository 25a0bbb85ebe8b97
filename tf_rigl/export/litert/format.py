"""Reads and changes LiteRT files as objects.

TensorFlow has a class for each table of the format: a `ModelT` holds subgraphs,
a subgraph holds tensors and operators. They refer to each other by index. An
operator lists the indices of its input and output tensors in their subgraph; a
tensor has the index of its buffer in the model, which holds the bytes of a
constant. Only the functions here need to know this.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

# Names of the builtin operators and of the types of tensors, by their numbers.
OPERATORS = {
    number: name
    for name, number in vars(schema.BuiltinOperator).items()
    if not name.startswith("_")
}
TYPES = {
    number: name.lower()
    for name, number in vars(schema.TensorType).items()
    if not name.startswith("_")
}
# The types that weights can have, as NumPy dtypes.
WEIGHT_TYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.FLOAT16: np.dtype("<f2"),
    schema.TensorType.INT8: np.dtype("i1"),
}


def read(content: bytes) -> Any:
    """Parses the bytes of a file into a `ModelT`."""
    return flatbuffer_utils.convert_bytearray_to_object(bytearray(content))


def write(model: Any) -> bytes:
    """Serializes a `ModelT` to the bytes of a file."""
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def is_model(content: bytes) -> bool:
    """Returns whether these are the bytes of a LiteRT file."""
    return content[4:8] == b"TFL3"


def kind(model: Any, operator: Any) -> int:
    """Returns the kind of an operator, a `schema.BuiltinOperator`."""
    code = model.operatorCodes[operator.opcodeIndex]
    # Old files have the number in the deprecated field, which is one byte.
    return max(code.builtinCode, code.deprecatedBuiltinCode)


def kind_name(model: Any, operator: Any) -> str:
    """Returns the name of an operator's kind; "CUSTOM" if it is not builtin."""
    return OPERATORS.get(kind(model, operator), "CUSTOM")


def operator_index(model: Any, operation: int, version: int) -> int:
    """Returns the index of an operator code, which is added if missing.

    Args:
        model: the model.
        operation: a `schema.BuiltinOperator`.
        version: the lowest version of the operator that is needed.
    """
    for index, code in enumerate(model.operatorCodes):
        found = max(code.builtinCode, code.deprecatedBuiltinCode)
        if found == operation and code.version >= version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = operation
    code.deprecatedBuiltinCode = min(operation, 127)
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def add_tensor(subgraph: Any, tensor: Any, kind: str) -> int:
    """Adds a tensor to a subgraph and returns its index.

    The tensor gets a new name, made of `kind` and its index, because OpenVINO
    treats tensors with the same name as the same tensor.
    """
    index = len(subgraph.tensors)
    tensor.name = f"{kind}_{index}".encode()
    subgraph.tensors.append(tensor)
    return index


def add_buffer(model: Any, values: np.ndarray) -> int:
    """Adds a buffer with the bytes of an array and returns its index."""
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_constant(
    model: Any, subgraph: Any, tensor: Any, kind: str, values: np.ndarray
) -> int:
    """Adds a tensor with constant values to a subgraph; returns its index."""
    tensor.shape = list(values.shape)
    tensor.buffer = add_buffer(model, values)
    return add_tensor(subgraph, tensor, kind)


def name(tensor: Any) -> str:
    """Returns the name of a tensor."""
    return tensor.name.decode() if tensor.name else ""


def shape(tensor: Any) -> tuple[int, ...]:
    """Returns the shape of a tensor, with 1 for sizes that are open."""
    return () if tensor.shape is None else tuple(map(int, tensor.shape))


def data(model: Any, tensor: Any) -> np.ndarray | None:
    """Returns the bytes of a constant; None for a tensor that is computed."""
    content = model.buffers[tensor.buffer].data
    if content is None or len(content) == 0:
        return None
    return np.asarray(content, np.uint8)


def consumers(subgraph: Any) -> dict[int, list[tuple[Any, int]]]:
    """Maps each tensor's index to its consumers.

    A consumer is an operator with the position of the tensor among its inputs.
    """
    found: dict[int, list[tuple[Any, int]]] = {}
    for operator in subgraph.operators:
        inputs = () if operator.inputs is None else operator.inputs
        for position, index in enumerate(inputs):
            found.setdefault(int(index), []).append((operator, position))
    return found


def constants(model: Any) -> Iterator[tuple[Any, Any]]:
    """Yields (subgraph, tensor) for all constants, once for each buffer."""
    seen = set()
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            if data(model, tensor) is None or tensor.buffer in seen:
                continue
            seen.add(tensor.buffer)
            yield subgraph, tensor
