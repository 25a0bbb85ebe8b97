"""Operations on sparse matrices of static size, by the native library.

A weight of K inputs and N outputs has nnz connections. `values` lists them
ordered by (output, input); a `SparseIndex` says where each belongs. The flat
position of a connection is `input · N + output`, as in the dense [K, N] weight.

All operations run on CPUs, eagerly and in graphs, and not under XLA. Those with
a damaged index raise `tf.errors.InvalidArgumentError`; none reads or writes out
of bounds. Sums do not depend on the number of threads.
"""

import functools
import os
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.native import library


class SparseIndex(NamedTuple):
    """Where the connections of a weight of K inputs and N outputs are.

    Columns are of dtype `column_dtype(K)` or `column_dtype(N)`, or of int32.
    """

    row_ptr: Any  # [N + 1], int32: the first connection of each output
    cols: Any  # [nnz], uint16 or int32: the input of each value
    t_ptr: Any  # [K + 1], int32: the first connection of each input
    t_cols: Any  # [nnz], uint16 or int32: outputs, ordered by (input, output)
    t_perm: Any  # [nnz], int32: where the values of these are in `values`


def column_dtype(size: int) -> tf.DType:
    """Returns the smallest dtype of columns below `size`: uint16 or int32."""
    return tf.uint16 if size <= 2**16 else tf.int32


def available() -> bool:
    """Returns whether the operations can be used: there, and not switched off.

    `tf_rigl.native.why_unavailable` tells the reason.
    """
    return library.available() and _load() is not None


def spmm(
    x: tf.Tensor,
    values: tf.Tensor,
    index: SparseIndex,
    bias: tf.Tensor,
    input_gradient: bool = True,
) -> tf.Tensor:
    """Multiplies by a sparse weight and adds a bias.

    The gradient is registered with TensorFlow: it has those of `x`, `values`
    and `bias`, by one fused operation, `spmm_gradients`. There is no gradient
    of the gradient.

    Args:
        x: float32 [B, K].
        values: float32 [nnz].
        index: where the values are.
        bias: float32 [N]; zeros where there is none.
        input_gradient: False for inputs that need no gradient, as those of the
            first layer: it costs half of the backward pass.

    Returns:
        float32 [B, N].
    """
    return _ops().rigl_spmm(
        x, values, *index, bias, input_gradient=input_gradient
    )


@tf.RegisterGradient("RiglSpmm")
def _differentiate_spmm(op: Any, dy: tf.Tensor) -> list[tf.Tensor | None]:
    x, values, *index, _ = op.inputs
    dx, dvalues, dbias = spmm_gradients(
        dy, x, values, SparseIndex(*index), op.get_attr("input_gradient")
    )
    return [dx, dvalues, *(None for _ in index), dbias]


def spmm_gradients(
    dy: tf.Tensor,
    x: tf.Tensor,
    values: tf.Tensor,
    index: SparseIndex,
    input_gradient: bool = True,
) -> tuple[tf.Tensor | None, tf.Tensor, tf.Tensor]:
    """Computes the gradients of `spmm`.

    Args:
        dy: float32 [B, N], the gradient of the output.
        x: float32 [B, K].
        values: float32 [nnz].
        index: where the values are.
        input_gradient: whether to compute the first one.

    Returns:
        The gradients of `x` (None without `input_gradient`), `values` and
        `bias`, float32 and of their shapes.
    """
    dx, dvalues, dbias = _ops().rigl_spmm_grad(
        dy, x, values, *index, input_gradient=input_gradient
    )
    return dx if input_gradient else None, dvalues, dbias


def convolve(
    x: tf.Tensor,
    values: tf.Tensor,
    index: SparseIndex,
    bias: tf.Tensor,
    sizes: tf.Tensor,
    input_gradient: bool = True,
) -> tf.Tensor:
    """Convolves images with a sparse weight and adds a bias.

    The weight's inputs K are the rows of the window, its columns and the
    channels, in this order. The gradient is registered, as that of `spmm`.

    Args:
        x: float32 [B, height · width · channels].
        values: float32 [nnz].
        index: where the values are.
        bias: float32 [N]; zeros where there is none.
        sizes: int32 [13], those of `RiglConvolution` in native/src/rigl.h.
        input_gradient: see `spmm`.

    Returns:
        float32 [B · out_height · out_width, N].
    """
    return _ops().rigl_convolve(
        x, values, *index, bias, sizes, input_gradient=input_gradient
    )


@tf.RegisterGradient("RiglConvolve")
def _differentiate_convolve(op: Any, dy: tf.Tensor) -> list[tf.Tensor | None]:
    x, values, *index, _, sizes = op.inputs
    dx, dvalues, dbias = convolve_gradients(
        dy, x, values, SparseIndex(*index), sizes, op.get_attr("input_gradient")
    )
    return [dx, dvalues, *(None for _ in index), dbias, None]


def convolve_gradients(
    dy: tf.Tensor,
    x: tf.Tensor,
    values: tf.Tensor,
    index: SparseIndex,
    sizes: tf.Tensor,
    input_gradient: bool = True,
) -> tuple[tf.Tensor | None, tf.Tensor, tf.Tensor]:
    """Computes the gradients of `convolve`, as `spmm_gradients` does."""
    dx, dvalues, dbias = _ops().rigl_convolve_grad(
        dy, x, values, *index, sizes, input_gradient=input_gradient
    )
    return dx if input_gradient else None, dvalues, dbias


def convolve_grow(
    x: tf.Tensor,
    dy: tf.Tensor,
    index: SparseIndex,
    like: tf.Tensor,
    sizes: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds where the gradient of a convolution is largest, as `grow` does.

    Memory is O(k) and a copy of `dy`: no window of the batch is held.
    """
    return _ops().rigl_convolve_grow(x, dy, *index, like, sizes)


def grow(
    x: tf.Tensor, dy: tf.Tensor, index: SparseIndex, like: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds where the gradient of the dense weight is largest.

    All k candidates are inactive: none is in the index. The gradient `xᵀ · dy`
    is computed in small blocks, of which only candidates are kept: memory is
    O(k + B · K), not O(K · N). Which are the best is decided as in
    `core.selection`: by magnitude, ties by the lowest flat position, and NaN
    before infinity before all numbers, so that scores that are not finite are
    among the candidates.

    Args:
        x: float32 [B, K].
        dy: float32 [B, N].
        index: the positions to leave out. K · N must be below 2**32.
        like: any int32 tensor of static shape [k], for the size of the result.

    Returns:
        The flat positions, int64 [k], of the best candidates in ascending
        order, and their magnitudes, float32 [k]. Where fewer are inactive, the
        last are -1 and -1.
    """
    return _ops().rigl_grow(x, dy, *index, like)


def reindex(
    positions: tf.Tensor, index: SparseIndex
) -> tuple[SparseIndex, tf.Tensor]:
    """Builds the index of other positions, in O(nnz + K + N).

    Args:
        positions: int64 [nnz], distinct flat positions in any order.
        index: any index of the same K and N and the same dtypes; only shapes
            and dtypes are read, and nnz may be another one.

    Returns:
        The index, and `order`, int32 [nnz]: what was listed as `positions` is
        brought along by `tf.gather(what, order)`, values as well as slots.
    """
    *arrays, order = _ops().rigl_reindex(positions, *index)
    return SparseIndex(*arrays), order


def drop_and_grow(
    values: tf.Tensor,
    dvalues: tf.Tensor,
    index: SparseIndex,
    candidates: tf.Tensor,
    scores: tf.Tensor,
    count: tf.Tensor,
) -> tuple[SparseIndex, tf.Tensor]:
    """Drops the `count` weakest connections and grows as many elsewhere.

    The rule is that of `core.drop_and_grow`, bit for bit if the scores are the
    same: the nnz - count largest |values| are kept; of the dropped ones, scored
    by |dvalues|, and of the candidates the `count` best become active; ties go
    to the lowest flat position; if any score is not finite nothing changes.

    Args:
        values: float32 [nnz].
        dvalues: float32 [nnz], their gradient.
        index: where the values are.
        candidates: int64 [k], inactive positions in ascending order, or -1; by
            `grow`, where k must be at least `count`.
        scores: float32 [k], their magnitudes, or -1.
        count: integer scalar, of the connections to drop.

    Returns:
        The new index, and `order`, int32 [nnz]: which of the old values each
        new one is, or -1 for a connection that was inactive before. A
        connection that was dropped and grew back keeps its value.
    """
    *arrays, order = _ops().rigl_drop_and_grow(
        values, dvalues, *index, candidates, scores, tf.cast(count, tf.int64)
    )
    return SparseIndex(*arrays), order


def bring_along(
    tensor: tf.Tensor, order: tf.Tensor, fresh: tf.Tensor
) -> tf.Tensor:
    """Brings what belongs to connections into the order of a new index.

    Args:
        tensor: float32 [nnz], in the order of the old values.
        order: int32 [nnz], by `drop_and_grow`.
        fresh: float32 scalar, for new connections.

    Returns:
        float32 [nnz], `tensor[order[i]]`, or `fresh` where that is -1.
    """
    return _ops().rigl_bring_along(tensor, order, fresh)


def positions_of(index: SparseIndex) -> tf.Tensor:
    """Lists the flat positions of an index in ascending order: int64 [nnz].

    `tf.gather(values, index.t_perm)` are the values in the same order.
    """
    return _ops().rigl_positions(*index)


def check_index(index: SparseIndex) -> tf.Tensor:
    """Checks an index wholly, as after loading: bool scalar, always True.

    The other operations check bounds. This one also checks that outputs are in
    order, no connection is twice, and both halves say the same.

    Raises:
        tf.errors.InvalidArgumentError: if the index is damaged.
    """
    return _ops().rigl_check_index(*index)


def run_plan(
    inputs: Sequence[tf.Tensor], plan: tf.Tensor, outputs: int
) -> list[tf.Tensor]:
    """Runs a whole plan; see `tf_rigl.native.Plan`.

    The plan is opened at the first call and shared by all functions that call
    it on the same tensor. There is no gradient.

    Args:
        inputs: float32 [B, ...], those of the plan.
        plan: uint8 [bytes], the content of the plan's file.
        outputs: the number of outputs.

    Returns:
        The outputs, float32 [B, ...]; their static shapes are unknown.
    """
    made: list[tf.Tensor] = _ops().rigl_plan(inputs, plan, M=outputs)
    return made


def load_native_ops() -> None:
    """Loads the operations that a SavedModel of `runtime="native"` has.

    Call it once in a process, before `tf.saved_model.load` or a `TFSMLayer`.

    Raises:
        RuntimeError: if the native library is not there.
    """
    _ops()


def is_in(path: str | os.PathLike[str]) -> bool:
    """Returns whether a SavedModel needs the operations of this library."""
    file = os.path.join(os.fspath(path), "saved_model.pb")
    with tf.io.gfile.GFile(file, "rb") as stream:
        return b"RiglPlan" in stream.read()


def _ops() -> Any:
    """Returns the module of generated wrappers."""
    if not available():
        raise RuntimeError(
            "The native library must be available. Received: "
            f"{library.why_unavailable()}"
        )
    return _load()


@functools.cache
def _load() -> Any:
    """Loads the operations, once; returns None where there are none.

    From then on a call may use as many threads as an operation of TensorFlow.
    """
    path = library.path_of_ops()
    if path is None:
        return None
    ops = tf.load_op_library(str(path))
    # 0 is as many as there are cores, for either.
    library.set_threads(tf.config.threading.get_intra_op_parallelism_threads())
    return ops
