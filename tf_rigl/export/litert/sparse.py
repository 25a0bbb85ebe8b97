"""Encodes arrays in LiteRT's sparse format, and decodes them.

The format walks through the dimensions of an array in any order. Here all but
the last of that order are dense, and the last is compressed: for each row a
range of positions, for each position its index in the row and its value.
Positions take one, two or four bytes, so rows of up to 256 elements are the
cheapest, and another order than that of the dimensions may take fewer bytes;
but OpenVINO 2026.4 reads that one only, as TensorFlow's converter writes it.

Reference: `SparsityParameters` in tensorflow/lite/schema/schema.fbs.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

_INDEX = schema.SparseIndexVector
# The format's type and object for positions of each type, narrow ones first.
_VECTORS: dict[np.dtype[Any], tuple[int, Callable[[], Any]]] = {
    np.dtype(np.uint8): (_INDEX.Uint8Vector, schema.Uint8VectorT),
    np.dtype(np.uint16): (_INDEX.Uint16Vector, schema.Uint16VectorT),
    np.dtype(np.int32): (_INDEX.Int32Vector, schema.Int32VectorT),
}


class Encoded(NamedTuple):
    """An array in the sparse format."""

    values: np.ndarray  # [nonzeros], of the array's dtype
    order: tuple[int, ...]  # dimensions, the compressed one last
    shape: tuple[int, ...]  # of the array
    segments: np.ndarray  # [rows + 1], where each row begins
    indices: np.ndarray  # [nonzeros], positions in their rows

    @property
    def bytes(self) -> int:
        """Bytes of values and positions."""
        return sum(
            array.nbytes for array in (self.values, self.segments, self.indices)
        )


def encode(array: np.ndarray, row_major: bool = True) -> Encoded:
    """Encodes an array, of any shape but ().

    In row-major order, or else in that which takes the fewest bytes.
    """
    axes = range(array.ndim)[-1:] if row_major else range(array.ndim)
    tries = (_encode(array, axis) for axis in reversed(axes))
    return min(tries, key=lambda encoded: encoded.bytes)


def decode(parameters: Any, values: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Decodes an array of a shape from its parameters and non-zero values."""
    order = [int(axis) for axis in parameters.traversalOrder]
    compressed = parameters.dimMetadata[-1]
    segments = np.asarray(compressed.arraySegments.values)
    indices = np.asarray(compressed.arrayIndices.values)

    moved = np.zeros([shape[axis] for axis in order], values.dtype)
    rows = moved.reshape(-1, moved.shape[-1])
    counts = segments[1:].astype(np.int64) - segments[:-1]
    rows[np.repeat(np.arange(len(rows)), counts), indices] = values
    return moved.transpose(np.argsort(order))


def to_parameters(encoded: Encoded) -> Any:
    """Makes the format's object for the positions, `SparsityParametersT`."""
    parameters = schema.SparsityParametersT()
    parameters.traversalOrder = list(encoded.order)
    parameters.blockMap = []
    parameters.dimMetadata = []

    for axis in encoded.order[:-1]:
        dense = schema.DimensionMetadataT()
        dense.format = schema.DimensionType.DENSE
        dense.denseSize = encoded.shape[axis]
        parameters.dimMetadata.append(dense)

    compressed = schema.DimensionMetadataT()
    compressed.format = schema.DimensionType.SPARSE_CSR
    compressed.denseSize = 0

    compressed.arraySegmentsType, compressed.arraySegments = _vector(
        encoded.segments
    )
    compressed.arrayIndicesType, compressed.arrayIndices = _vector(
        encoded.indices
    )

    parameters.dimMetadata.append(compressed)
    return parameters


def position_bytes(parameters: Any) -> int:
    """Counts the bytes of the positions of a `SparsityParametersT`."""
    return sum(
        np.asarray(vector.values).nbytes
        for dimension in parameters.dimMetadata
        for vector in (dimension.arraySegments, dimension.arrayIndices)
        if vector is not None
    )


def _encode(array: np.ndarray, axis: int) -> Encoded:
    order = (*(one for one in range(array.ndim) if one != axis), axis)
    rows = np.ascontiguousarray(array.transpose(order))
    rows = rows.reshape(-1, array.shape[axis])

    active = rows != 0
    if rows.size and not active.any():
        active[0, 0] = True  # A tensor without data would be no constant.

    segments = np.concatenate([[0], np.cumsum(active.sum(axis=1))])
    return Encoded(
        values=rows[active],
        order=order,
        shape=array.shape,
        segments=_narrowest(segments, int(segments[-1])),
        indices=_narrowest(np.nonzero(active)[1], array.shape[axis] - 1),
    )


def _narrowest(numbers: np.ndarray, largest: int) -> np.ndarray:
    for dtype in _VECTORS:
        if largest <= np.iinfo(dtype).max:
            return numbers.astype(dtype)
    raise ValueError(
        "A weight in a LiteRT file must have fewer than 2**31 connections. "
        f"Received: one of {largest:,}."
    )


def _vector(numbers: np.ndarray) -> tuple[int, Any]:
    """Returns the format's type and object for a list of numbers."""
    number, make = _VECTORS[numbers.dtype]
    vector = make()
    vector.values = numbers
    return number, vector
