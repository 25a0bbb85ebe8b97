"""Sparse matrices of static size: by the native library or by TensorFlow.

The functions are those of `native_ops`, which says what an index is. Without
the library, or under XLA, plain TensorFlow computes the same by a dense matrix
that lives as long as the operation: right everywhere, but no faster and no
smaller than a masked weight.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import record

from tf_rigl.backend import native_ops
from tf_rigl.backend.native_ops import SparseIndex
from tf_rigl.core import connections

# Computes the gradients of inputs (None unless asked for), values and bias.
Differentiate = Callable[[bool], tuple[tf.Tensor | None, tf.Tensor, tf.Tensor]]


@dataclasses.dataclass(frozen=True)
class BackwardPass:
    """What one backward pass of a product knows of the gradient of its weight.

    Args:
        x: float32 [B, K], the inputs.
        dy: float32 [B, N], the gradient of the outputs.
        dvalues: float32 [nnz], what it adds to the gradient of the values.
    """

    x: tf.Tensor
    dy: tf.Tensor
    dvalues: tf.Tensor

    def grow(
        self, index: SparseIndex, number: int
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Finds where the gradient of the weight is largest; see `grow`."""
        return grow(self.x, self.dy, index, number)

    def factors(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns [M, K] and [M, N], of which the gradient is the product."""
        return self.x, self.dy


# Called in each backward pass of a product.
Observer = Callable[[BackwardPass], None]


def make_index(
    positions: tf.Tensor, shape: tuple[int, int]
) -> tuple[SparseIndex, tf.Tensor]:
    """Builds the index of flat positions; see `native_ops.reindex`.

    Args:
        positions: int64 [nnz], distinct, in any order.
        shape: K inputs and N outputs.

    Returns:
        The index, and int32 [nnz], the order that its values have.
    """
    inputs, outputs = shape
    by_input = tf.argsort(positions)
    ordered = tf.gather(positions, by_input)
    rows, columns = ordered // outputs, ordered % outputs

    by_output = tf.argsort(columns * inputs + rows)
    # Where the values, which are ordered by output, are in the other order.
    perm = tf.scatter_nd(
        by_output[:, None],
        tf.range(tf.shape(by_output)[0]),
        tf.shape(by_output),
    )
    index = SparseIndex(
        _starts(columns, outputs),
        _columns(tf.gather(rows, by_output), inputs),
        _starts(rows, inputs),
        _columns(columns, outputs),
        perm,
    )
    return index, tf.gather(by_input, by_output)


def _starts(rows: tf.Tensor, size: int) -> tf.Tensor:
    counts = tf.math.bincount(tf.cast(rows, tf.int32), minlength=size)
    return tf.concat([[0], tf.cumsum(counts)], 0)


def _columns(columns: tf.Tensor, size: int) -> tf.Tensor:
    return tf.cast(columns, native_ops.column_dtype(size))


def shape_of(index: SparseIndex) -> tuple[int, int]:
    """Returns K and N of an index whose shapes are static."""
    return index.t_ptr.shape[0] - 1, index.row_ptr.shape[0] - 1


def positions_of(index: SparseIndex) -> tf.Tensor:
    """Lists the flat positions in the order of the values, int64 [nnz]."""
    _, outputs = shape_of(index)
    # Not `tf.repeat`, which takes memory for as many connections of each output
    # as the output with the most of them has.
    number = index.cols.shape[0]
    starts = index.row_ptr[1:-1]
    begins = tf.scatter_nd(
        starts[:, None],
        tf.ones_like(starts, tf.int64),
        tf.constant([number + 1], starts.dtype),
    )
    columns = tf.cumsum(begins[:number])
    return tf.cast(index.cols, tf.int64) * outputs + columns


def dense(values: tf.Tensor, index: SparseIndex) -> tf.Tensor:
    """Returns the matrix [K, N]; differentiable by the values."""
    shape = shape_of(index)
    positions = positions_of(index)[:, None]
    flat = tf.scatter_nd(
        positions, values, tf.constant([math.prod(shape)], tf.int64)
    )
    return tf.reshape(flat, shape)


def spmm(
    x: tf.Tensor,
    values: tf.Tensor,
    index: SparseIndex,
    bias: tf.Tensor,
    observer: Observer | None = None,
) -> tf.Tensor:
    """Multiplies by a sparse weight and adds a bias.

    Args:
        x: float32 [B, K].
        values: float32 [nnz].
        index: where the values are.
        bias: float32 [N]; zeros where there is none.
        observer: called in the backward pass, which finds where to grow.

    Returns:
        float32 [B, N].
    """
    needs_dx = needs_gradient(x)

    @tf.custom_gradient
    def multiply(x: tf.Tensor, values: tf.Tensor, bias: tf.Tensor) -> tuple:
        def gradients(dy: tf.Tensor) -> tuple[tf.Tensor, ...]:
            if native_ops.available():
                differentiate = functools.partial(
                    native_ops.spmm_gradients, dy, x, values, index
                )
                found = needed_gradients(differentiate, needs_dx)
            else:
                found = spmm_gradients(dy, x, values, index)
            if observer is not None:
                observer(BackwardPass(x, dy, found[1]))
            return found

        if native_ops.available():
            return native_ops.spmm(x, values, index, bias), gradients
        return tf.matmul(x, dense(values, index)) + bias, gradients

    return multiply(x, values, bias)


def spmm_gradients(
    dy: tf.Tensor, x: tf.Tensor, values: tf.Tensor, index: SparseIndex
) -> tuple[tf.Tensor, ...]:
    """Computes the gradients of `x`, `values` and `bias`."""
    if native_ops.available():
        return tuple(native_ops.spmm_gradients(dy, x, values, index))

    whole = tf.matmul(x, dy, transpose_a=True)
    return (
        tf.matmul(dy, dense(values, index), transpose_b=True),
        tf.gather(tf.reshape(whole, [-1]), positions_of(index)),
        tf.reduce_sum(dy, 0),
    )


def needs_gradient(x: tf.Tensor) -> bool:
    """Returns whether an input may need a gradient, as far as it is known.

    If a function is traced whose gradient is taken outside, it may.
    """
    return not record.could_possibly_record() or record.should_record_backprop(
        [x]
    )


def needed_gradients(
    differentiate: Differentiate, needs_dx: bool
) -> tuple[tf.Tensor | None, ...]:
    """Computes gradients, that of the inputs where it is needed.

    Those of the inputs of a first layer would cost half of its backward pass.
    """
    if needs_dx:
        return differentiate(True)
    _, dvalues, dbias = differentiate(False)
    if tf.executing_eagerly():
        return None, dvalues, dbias
    # In a graph, an operation of which nothing is used is never run.
    dx, _, _ = differentiate(True)
    return dx, dvalues, dbias


def grow(
    x: tf.Tensor, dy: tf.Tensor, index: SparseIndex, number: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds where the gradient of the dense weight is largest.

    Returns:
        The inactive positions of largest magnitude, int64 [number], and the
        magnitudes, float32 [number]; -1 and -1 where fewer are inactive.
    """
    if native_ops.available():
        like = tf.zeros([number], tf.int32)
        return native_ops.grow(x, dy, index, like)

    size = math.prod(shape_of(index))
    whole = tf.reshape(tf.matmul(x, dy, transpose_a=True), [size])
    ranks = connections.ranks(whole, tf.range(size, dtype=tf.int64))
    positions = positions_of(index)[:, None]
    none = np.int64(-1)
    ranks = tf.tensor_scatter_nd_update(
        ranks, positions, tf.fill(index.cols.shape, none)
    )
    ranks = tf.pad(ranks, [[0, max(0, number - size)]], constant_values=none)
    best, found = tf.math.top_k(ranks, number)
    scores = tf.abs(tf.gather(whole, tf.minimum(found, size - 1)))
    return connections.ascending(best, scores)


def grow_together(
    passes: Sequence[BackwardPass], index: SparseIndex, number: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds where the sum of gradients is largest; see `grow`.

    The largest of the sum are not among the largest of its parts, so all inputs
    are taken together with all gradients.
    """
    if len(passes) == 1:
        return passes[0].grow(index, number)
    factors = [one.factors() for one in passes]
    x = tf.concat([x for x, _ in factors], 0)
    dy = tf.concat([dy for _, dy in factors], 0)
    return grow(x, dy, index, number)


def bring_along(
    tensor: tf.Tensor, order: tf.Tensor, fresh: float = 0.0
) -> tf.Tensor:
    """Brings values into the order of a new index, `fresh` for new ones.

    Args:
        tensor: [nnz], in the order of the old values.
        order: int32 [nnz], by `drop_and_grow`.
        fresh: what connections have that were inactive before.
    """
    fresh = tf.cast(fresh, tensor.dtype)
    if native_ops.available() and tensor.dtype == tf.float32:
        return native_ops.bring_along(tensor, order, fresh)
    kept = tf.gather(tensor, tf.maximum(order, 0))
    return tf.where(order < 0, fresh, kept)


def drop_and_grow(
    values: tf.Tensor,
    scores: tf.Tensor,
    index: SparseIndex,
    candidates: tf.Tensor,
    candidate_scores: tf.Tensor,
    count: tf.Tensor,
) -> tuple[SparseIndex, tf.Tensor]:
    """Drops the weakest connections; see `native_ops.drop_and_grow`."""
    if native_ops.available():
        return native_ops.drop_and_grow(
            values, scores, index, candidates, candidate_scores, count
        )

    positions = positions_of(index)
    move = connections.drop_and_grow(
        values, positions, scores, candidates, candidate_scores, count
    )
    after = tf.concat(
        [
            tf.boolean_mask(positions, move.stay),
            tf.boolean_mask(candidates, move.grows),
        ],
        0,
    )
    stay = tf.cast(tf.where(move.stay)[:, 0], tf.int32)
    grown = tf.size(after) - tf.size(stay)
    came_from = tf.concat([stay, tf.fill([grown], -1)], 0)

    after = tf.ensure_shape(after, positions.shape)
    new, order = make_index(after, shape_of(index))
    return new, tf.ensure_shape(tf.gather(came_from, order), positions.shape)
