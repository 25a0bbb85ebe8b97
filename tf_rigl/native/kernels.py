"""The bare kernels, for NumPy arrays: for exact tests and measurements.

Arguments and results are those of `tf_rigl.backend.native_ops`, where they are
documented. Each function raises a ValueError if an index is damaged.
"""

import ctypes
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.native import library

Array = np.ndarray


class Index(NamedTuple):
    """Where the connections of a weight [K, N] are; see `SparseIndex`."""

    row_ptr: Array  # [N + 1], int32
    cols: Array  # [nnz], uint16 or int32
    t_ptr: Array  # [K + 1], int32
    t_cols: Array  # [nnz], uint16 or int32
    t_perm: Array  # [nnz], int32

    @property
    def inputs(self) -> int:
        """K."""
        return len(self.t_ptr) - 1

    @property
    def outputs(self) -> int:
        """N."""
        return len(self.row_ptr) - 1


class _Index(ctypes.Structure):
    """`RiglIndex` and `RiglNewIndex` in rigl.h."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("inputs", "outputs", "nnz")),
        *((name, ctypes.c_int32) for name in ("col_bytes", "t_col_bytes")),
        *((name, ctypes.c_void_p) for name in Index._fields),
    )


class Convolution(NamedTuple):
    """The sizes of a convolution; see `RiglConvolution` in rigl.h."""

    height: int
    width: int
    channels: int
    window_height: int
    window_width: int
    out_height: int
    out_width: int
    row_stride: int = 1
    column_stride: int = 1
    row_dilation: int = 1
    column_dilation: int = 1
    top: int = 0
    left: int = 0

    def inputs_shape(self, batch: int) -> tuple[int, ...]:
        """Returns the shape of the inputs."""
        return batch, self.height, self.width, self.channels

    def outputs_shape(self, batch: int, outputs: int) -> tuple[int, ...]:
        """Returns the shape of the outputs."""
        return batch, self.out_height, self.out_width, outputs


def empty_index(
    inputs: int, outputs: int, connections: int, wide: bool | None = None
) -> Index:
    """Allocates the arrays of an index, to be written.

    Args:
        inputs: K.
        outputs: N.
        connections: nnz.
        wide: whether columns are int32; by default only where it is needed.
    """
    dtypes = [
        np.int32 if (size > 2**16 if wide is None else wide) else np.uint16
        for size in (inputs, outputs)
    ]
    return Index(
        np.zeros(outputs + 1, np.int32),
        np.zeros(connections, dtypes[0]),
        np.zeros(inputs + 1, np.int32),
        np.zeros(connections, dtypes[1]),
        np.zeros(connections, np.int32),
    )


def spmm(x: Array, values: Array, index: Index, bias: Array) -> Array:
    """Returns x · weight + bias, float32 [B, N]."""
    y = np.empty((len(x), index.outputs), np.float32)
    _call(
        "rigl_spmm",
        index,
        _floats(values, len(index.cols)),
        _floats(bias, index.outputs),
        _floats(x, len(x), index.inputs),
        len(x),
        y,
    )
    return y


def spmm_gradients(
    dy: Array,
    x: Array,
    values: Array,
    index: Index,
    input_gradient: bool = True,
) -> tuple[Array | None, Array, Array]:
    """Returns the gradients of x (or None), values and bias."""
    batch, connections = len(x), len(index.cols)
    dx = np.empty((batch, index.inputs), np.float32) if input_gradient else None
    dvalues = np.empty(connections, np.float32)
    dbias = np.empty(index.outputs, np.float32)
    _call(
        "rigl_spmm_grad",
        index,
        _floats(values, connections),
        _floats(x, batch, index.inputs),
        _floats(dy, batch, index.outputs),
        batch,
        dx,
        dvalues,
        dbias,
    )
    return dx, dvalues, dbias


def convolve(
    x: Array, values: Array, index: Index, bias: Array, convolution: Convolution
) -> Array:
    """Returns the convolution of images, plus bias."""
    batch = len(x)
    y = np.empty(convolution.outputs_shape(batch, index.outputs), np.float32)
    _call(
        "rigl_convolve",
        index,
        np.array(convolution, np.int32),
        _floats(values, len(index.cols)),
        _floats(bias, index.outputs),
        _floats(x, *convolution.inputs_shape(batch)),
        batch,
        y,
    )
    return y


def convolve_gradients(
    dy: Array,
    x: Array,
    values: Array,
    index: Index,
    convolution: Convolution,
    input_gradient: bool = True,
) -> tuple[Array | None, Array, Array]:
    """Returns the gradients of x (or None), values and bias."""
    batch, connections = len(x), len(index.cols)
    shape = convolution.inputs_shape(batch)
    dx = np.empty(shape, np.float32) if input_gradient else None
    dvalues = np.empty(connections, np.float32)
    dbias = np.empty(index.outputs, np.float32)
    _call(
        "rigl_convolve_grad",
        index,
        np.array(convolution, np.int32),
        _floats(values, connections),
        _floats(x, *shape),
        _floats(dy, *convolution.outputs_shape(batch, index.outputs)),
        batch,
        dx,
        dvalues,
        dbias,
    )
    return dx, dvalues, dbias


def convolve_grow(
    x: Array, dy: Array, index: Index, count: int, convolution: Convolution
) -> tuple[Array, Array]:
    """Returns positions and scores of the best inactive positions."""
    batch = len(x)
    positions = np.empty(count, np.int64)
    scores = np.empty(count, np.float32)
    _call(
        "rigl_convolve_grow",
        index,
        np.array(convolution, np.int32),
        _floats(x, *convolution.inputs_shape(batch)),
        _floats(dy, *convolution.outputs_shape(batch, index.outputs)),
        batch,
        count,
        positions,
        scores,
    )
    return positions, scores


def grow(x: Array, dy: Array, index: Index, count: int) -> tuple[Array, Array]:
    """Returns positions and scores of the best inactive positions."""
    positions = np.empty(count, np.int64)
    scores = np.empty(count, np.float32)
    _call(
        "rigl_grow",
        index,
        _floats(x, len(x), index.inputs),
        _floats(dy, len(x), index.outputs),
        len(x),
        count,
        positions,
        scores,
    )
    return positions, scores


def reindex(
    positions: Array, inputs: int, outputs: int, wide: bool | None = None
) -> tuple[Index, Array]:
    """Returns the index of flat positions, and which each value belongs to."""
    positions = np.ascontiguousarray(positions, np.int64)
    index = empty_index(inputs, outputs, len(positions), wide)
    order = np.empty(len(positions), np.int32)
    _run("rigl_reindex", positions, _pointers(index), order)
    return index, order


def positions_of(index: Index) -> Array:
    """Returns the flat positions in ascending order."""
    positions = np.empty(len(index.cols), np.int64)
    _call("rigl_positions", index, positions)
    return positions


def drop_and_grow(
    values: Array,
    dvalues: Array,
    index: Index,
    candidates: Array,
    scores: Array,
    count: int,
) -> tuple[Index, Array]:
    """Returns the new index, and which old value each new one is."""
    connections = len(index.cols)
    new = Index(*(np.empty_like(one) for one in index))
    order = np.empty(connections, np.int32)
    _call(
        "rigl_drop_and_grow",
        index,
        _floats(values, connections),
        _floats(dvalues, connections),
        np.ascontiguousarray(candidates, np.int64),
        _floats(scores, len(candidates)),
        len(candidates),
        count,
        _pointers(new),
        order,
    )
    return new, order


def check_index(index: Index) -> None:
    """Raises a ValueError if an index is damaged in any way."""
    _call("rigl_check_index", index)


def _floats(array: Array, *shape: int) -> Array:
    """Returns a contiguous float32 array, after a check of its shape."""
    array = np.ascontiguousarray(array, np.float32)
    if array.shape != shape:
        raise ValueError(
            f"The shape must be {shape}. Received: shape={array.shape}."
        )
    return array


def _pointers(index: Index) -> _Index:
    dtypes = [one.dtype for one in index]
    if any(dtype != np.int32 for dtype in dtypes[::2]) or any(
        dtype not in (np.uint16, np.int32) for dtype in dtypes[1::2]
    ):
        raise TypeError(
            "Columns must be uint16 or int32, all else int32. Received: "
            f"{', '.join(map(str, dtypes))}."
        )
    lengths = [len(one) for one in (index.cols, index.t_cols, index.t_perm)]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"Both halves must have as many connections. Received: {lengths}."
        )
    return _Index(
        index.inputs,
        index.outputs,
        len(index.cols),
        index.cols.itemsize,
        index.t_cols.itemsize,
        *(one.ctypes.data for one in index),
    )


def _call(name: str, index: Index, *arguments: Any) -> None:
    _run(name, _pointers(index), *arguments)


def _run(name: str, *arguments: Any) -> None:
    """Calls a function of rigl.h; raises what it returns as a ValueError."""
    function = getattr(library.find(), name)
    function.restype = ctypes.c_char_p
    error = function(*map(_as_c, arguments))
    if error:
        raise ValueError(f"{name}: {error.decode()}")


def _as_c(argument: Any) -> Any:
    if isinstance(argument, _Index):
        return ctypes.byref(argument)
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    if isinstance(argument, int):
        return ctypes.c_int64(argument)
    return argument
