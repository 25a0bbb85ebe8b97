"""Encodes arrays in LiteRT's sparse format, and decodes them.

The format allows any order of an array's dimensions. Here, the last dimension
of that order is compressed and all others are dense, as in compressed sparse
rows: each row has a range of entries, and each entry an index in the row and a
value. Indices take one, two or four bytes, so rows of up to 256 elements are
the cheapest, and another order of the dimensions may take fewer bytes. But
OpenVINO 2026.4 only reads the array's own order, which TensorFlow's converter
writes.

Reference: `SparsityParameters` in tensorflow/lite/schema/schema.fbs.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

_INDEX = schema.SparseIndexVector
# The format's number and class for vectors of each dtype, narrowest first.
_VECTORS: dict[np.dtype[Any], tuple[int, Callable[[], Any]]] = {
    np.dtype(np.uint8): (_INDEX.Uint8Vector, schema.Uint8VectorT),
    np.dtype(np.uint16): (_INDEX.Uint16Vector, schema.Uint16VectorT),
    np.dtype(np.int32): (_INDEX.Int32Vector, schema.Int32VectorT),
}


class Encoded(NamedTuple):
    """An array in the sparse format."""

    values: np.ndarray  # [nonzeros], of the array's dtype
    order: tuple[int, ...]  # the dimensions; the last of them is compressed
    shape: tuple[int, ...]  # shape of the array
    segments: np.ndarray  # [rows + 1], the first entry of each row
    indices: np.ndarray  # [nonzeros], the index of each entry in its row

    @property
    def bytes(self) -> int:
        """Total bytes of values and positions."""
        return sum(
            array.nbytes for array in (self.values, self.segments, self.indices)
        )


def encode(array: np.ndarray, row_major: bool = True) -> Encoded:
    """Encodes an array of rank 1 or more.

    Args:
        array: the dense array.
        row_major: whether the order of dimensions is that of the array. If
            False, the compressed dimension is the one with the fewest bytes.

    Raises:
        ValueError: if the array has 2**31 or more non-zeros.
    """
    axes = range(array.ndim)[-1:] if row_major else range(array.ndim)
    candidates = (_encode(array, axis) for axis in reversed(axes))
    return min(candidates, key=lambda encoded: encoded.bytes)


def decode(parameters: Any, values: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Decodes an array.

    Args:
        parameters: its positions, a `SparsityParametersT` as `to_parameters`
            makes it.
        values: [nonzeros], its non-zero values.
        shape: shape of the array.
    """
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
    """Returns the positions of an array as a `SparsityParametersT`."""
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
    """Returns the total bytes of the positions in a `SparsityParametersT`."""
    return sum(
        np.asarray(vector.values).nbytes
        for dimension in parameters.dimMetadata
        for vector in (dimension.arraySegments, dimension.arrayIndices)
        if vector is not None
    )


def _encode(array: np.ndarray, axis: int) -> Encoded:
    """Encodes an array with the given axis compressed."""
    order = (*(other for other in range(array.ndim) if other != axis), axis)
    rows = np.ascontiguousarray(array.transpose(order))
    rows = rows.reshape(-1, array.shape[axis])

    # An array of zeros keeps one of them, because LiteRT takes a tensor without
    # data for one that is computed.
    active = rows != 0
    if rows.size and not active.any():
        active[0, 0] = True

    segments = np.concatenate([[0], np.cumsum(active.sum(axis=1))])
    return Encoded(
        values=rows[active],
        order=order,
        shape=array.shape,
        segments=_narrowest(segments, int(segments[-1])),
        indices=_narrowest(np.nonzero(active)[1], array.shape[axis] - 1),
    )


def _narrowest(numbers: np.ndarray, largest: int) -> np.ndarray:
    """Converts integers to the narrowest dtype that can hold `largest`."""
    for dtype in _VECTORS:
        if largest <= np.iinfo(dtype).max:
            return numbers.astype(dtype)
    raise ValueError(
        "A weight in a LiteRT file must have fewer than 2**31 connections. "
        f"Received: one of {largest:,}."
    )


def _vector(numbers: np.ndarray) -> tuple[int, Any]:
    """Returns the format's number and object for a vector of integers."""
    number, make = _VECTORS[numbers.dtype]
    vector = make()
    vector.values = numbers
    return number, vector
