"""Writes a network as a plan: the file that the native library runs.

    plan_file.write(graph, "model.plan")
    y = plan.Plan("model.plan")(x)

A plan is portable: it says what to compute, and the library chooses how when it
loads the file, by the vector instructions of the machine. It needs NumPy alone.

The file is little-endian and is mapped into memory as it is:

* 64 bytes: the magic, the version, a checksum (CRC-32 of all that follows it),
  the size of the file, and how long the next three parts are.
* The program, in int32: shapes, inputs and outputs, operations.
* The list of arrays: offset, number of elements and type of each.
* Names, in UTF-8 without separators.
* The arrays, each at a multiple of 64 bytes.

Kernels are stored by outputs, `[outputs, everything else]`: the non-zeros of
each with the place of each, or all elements where that is smaller. A depthwise
convolution is one with as many groups as channels, and the table of an
embedding is stored likewise, by its rows. Raise `VERSION` with every
change: `plan_program.h` has the same number, and files of others are refused.
"""

import os
import pathlib
import struct
import zlib
from collections.abc import Iterable

import numpy as np

from tf_rigl.native import plan_attributes
from tf_rigl.native import plan_check
from tf_rigl.native.plan_graph import ACTIVATIONS
from tf_rigl.native.plan_graph import Graph
from tf_rigl.native.plan_graph import Operation

MAGIC = b"RIGLPLAN"
VERSION = 2
ALIGNMENT = 64
PRECISIONS = ("float32", "float16", "int8")
_HEADER = struct.Struct("<8sIIQIII28x")
_CHECKED_FROM = 16  # what the checksum covers

_KINDS = (
    "dense",
    "convolution",
    "pool",
    "global_pool",
    "pad",
    "affine",
    "add",
    "multiply",
    "activation",
    "concatenate",
    "reshape",
    "constant",
    "normalize",
    "transpose",
    "slice",
    "embedding",
    "attention",
    "matrix_product",
    "recurrence",
)
_TYPES = tuple(np.dtype(name) for name in ("<f4", "<i4", "<u2", "<f2", "i1"))

# Bytes of an element and of a non-zero with its place: below this density the
# second takes less.
_SPARSE_BELOW = 4 / 6


def write(
    graph: Graph,
    path: str | os.PathLike[str],
    *,
    precision: str = "float32",
) -> None:
    """Writes a network to a file, whole or not at all.

    Args:
        graph: the network.
        path: the file, which is replaced if it is there.
        precision: type of the weights in the file; see `encode`.

    Raises:
        ValueError: if the network is not one that a plan can hold.
    """
    data = encode(graph, precision=precision)
    path = pathlib.Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def encode(graph: Graph, *, precision: str = "float32") -> bytes:
    """Returns the bytes of a plan.

    Args:
        graph: the network.
        precision: type of the elements of kernels in the file: "float32",
            "float16", or "int8" with a scale for each output. A plan computes
            in float32 whatever it is.

    Raises:
        ValueError: if the network is not one that a plan can hold, or the
            precision another one.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"The precision of a plan must be one of {', '.join(PRECISIONS)}. "
            f"Received: precision={precision!r}"
        )
    plan_check.check(graph)

    arrays = _Arrays(precision)
    program = [len(graph.shapes)]
    for shape in graph.shapes:
        program += [len(shape), *shape]
    program += [len(graph.inputs), *graph.inputs]
    program += [len(graph.outputs), *graph.outputs]
    program.append(len(graph.operations))
    for operation in graph.operations:
        try:
            program += _encode_operation(graph, operation, arrays)
        except ValueError as error:
            raise ValueError(
                f"{operation.kind} {operation.name!r}: {error}"
            ) from error

    names = [name.encode() for name in _names(graph)]
    program += [len(names), *map(len, names)]
    return _assemble(program, b"".join(names), arrays.list)


def _names(graph: Graph) -> Iterable[str]:
    for name, values in (("input", graph.inputs), ("output", graph.outputs)):
        given = getattr(graph, f"{name}_names")
        yield from given or (f"{name}_{i}" for i in range(len(values)))
    for operation in graph.operations:
        yield operation.name


class _Arrays:
    """Arrays of the file, by number."""

    def __init__(self, precision: str) -> None:
        self.list: list[np.ndarray] = []
        self.precision = precision

    def add(self, array: np.ndarray | None, dtype: str = "<f4") -> int:
        """Returns the number of an array; -1 for None."""
        if array is None:
            return -1
        self.list.append(np.ascontiguousarray(array, dtype))
        return len(self.list) - 1


def _encode_operation(
    graph: Graph, operation: Operation, arrays: _Arrays
) -> list[int]:
    given, kind = operation.attributes, operation.kind
    numbers: list[int] = []
    if has_weight(operation):
        numbers = _add_weight(_rows(operation), operation, arrays)
    elif kind in ("affine", "normalize"):
        numbers = [
            arrays.add(operation.arrays.get(name))
            for name in ("scale", "offset")
        ]
    elif kind == "constant":
        # By planes, as images lie in memory.
        planes = np.moveaxis(operation.arrays["value"], -1, 0)
        numbers = [arrays.add(planes)]

    rank = len(graph.shapes[operation.output])
    attributes = plan_attributes.encode(operation, rank)
    activation = given.get("activation", "linear")
    return [
        _KINDS.index("convolution" if kind == "depthwise" else kind),
        len(operation.inputs),
        *operation.inputs,
        operation.output,
        ACTIVATIONS.index(activation),
        plan_attributes.bits(given.get("negative_slope", 0)),
        len(attributes),
        *attributes,
        len(numbers),
        *numbers,
    ]


def has_weight(operation: Operation) -> bool:
    """Returns whether an operation has a kernel or table, which is packed."""
    return not {"kernel", "table"}.isdisjoint(operation.arrays)


def _rows(operation: Operation) -> np.ndarray:
    """Returns the kernel of an operation, `[outputs, places]`, or its table."""
    if "table" in operation.arrays:
        return operation.arrays["table"]
    kernel = operation.arrays["kernel"]
    # The outputs of depthwise convolutions are channels times multiplier.
    kept = 2 if operation.kind == "depthwise" else 1
    outputs = int(np.prod(kernel.shape[-kept:]))
    return kernel.reshape(-1, outputs).T


def _add_weight(
    weight: np.ndarray, operation: Operation, arrays: _Arrays
) -> list[int]:
    """Adds a kernel `[outputs, places]` and its bias.

    Returns:
        Numbers of row_ptr, places, values, scale and bias: -1 for what is not
        there. A dense kernel has neither of the first two.
    """
    mask = weight != 0
    values, dtype, scale = _rounded(weight, arrays.precision)
    if mask.sum() > _SPARSE_BELOW * weight.size:
        index = [-1, -1]
    else:
        row_ptr = np.concatenate([[0], np.cumsum(mask.sum(1))])
        places = np.nonzero(mask)[1]
        narrow = weight.shape[1] <= 2**16
        index = [
            arrays.add(row_ptr, "<i4"),
            arrays.add(places, "<u2" if narrow else "<i4"),
        ]
        values = values[mask]
    return [
        *index,
        arrays.add(values, dtype),
        arrays.add(scale),
        arrays.add(operation.arrays.get("bias")),
    ]


def _rounded(
    weight: np.ndarray, precision: str
) -> tuple[np.ndarray, str, np.ndarray | None]:
    """Returns the elements to be stored, their type and the scales of rows."""
    if precision == "float32":
        return weight, "<f4", None
    largest = np.abs(weight).max(1, initial=0)
    if precision == "float16":
        if largest.max(initial=0) > np.finfo(np.float16).max:
            raise ValueError(
                "Weights must be at most 65504 in float16. "
                f"Received: {largest.max()}"
            )
        return weight, "<f2", None
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(weight / scale[:, None]), "i1", scale


def rounding_error(operation: Operation, precision: str) -> float:
    """Returns the largest difference between a kernel and what a file holds.

    Args:
        operation: one with a kernel or table.
        precision: type of its elements in the file; see `encode`.
    """
    if precision == "float32":
        return 0.0  # exact, and kernels may be large
    weight = _rows(operation)
    values, dtype, scale = _rounded(weight, precision)
    stored = values.astype(dtype).astype(np.float32)
    if scale is not None:
        stored *= scale[:, None]
    return float(np.abs(stored - weight).max(initial=0))


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _assemble(
    program: list[int], names: bytes, arrays: list[np.ndarray]
) -> bytes:
    words = np.array(program, "<i4").tobytes()
    entry = struct.Struct("<QQII")
    head = _HEADER.size + len(words) + entry.size * len(arrays) + len(names)

    offset = _aligned(head)
    entries = []
    for array in arrays:
        kind = _TYPES.index(array.dtype)
        entries.append(entry.pack(offset, array.size, kind, 0))
        offset += _aligned(array.nbytes)

    data = bytearray(offset)
    _HEADER.pack_into(
        data,
        0,
        MAGIC,
        VERSION,
        0,
        offset,
        len(program),
        len(arrays),
        len(names),
    )
    data[_HEADER.size : head] = words + b"".join(entries) + names
    offset = _aligned(head)
    for array in arrays:
        data[offset : offset + array.nbytes] = array.tobytes()
        offset += _aligned(array.nbytes)

    checksum = zlib.crc32(memoryview(data)[_CHECKED_FROM:])
    struct.pack_into("<I", data, 12, checksum)
    return bytes(data)
