"""Exact selection of the k largest entries by magnitude, without sorting.

The bit pattern of a non-negative IEEE float, read as an integer, is monotonic
in the float. The k-th largest magnitude is therefore found by counting passes
over integer keys, from the highest bits to the lowest, with static shapes
throughout. Integers are used because float comparisons may flush denormals to
zero on some devices, whereas integers compare alike in eager mode, in graphs
and under XLA.
"""

import functools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.core.order_statistic import count_true as count_true
from tf_rigl.core.order_statistic import (
    count_true_in_rows as count_true_in_rows,
)
from tf_rigl.core.order_statistic import kth_largest_key

# Number of indices in one piece of `_indices_below`.
_PIECE = 1024

_MAGNITUDE_BITS = {
    tf.float16: (tf.uint16, tf.int32, 15, 0x7C00),
    tf.bfloat16: (tf.uint16, tf.int32, 15, 0x7F80),
    tf.float32: (tf.int32, tf.int32, 31, 0x7F800000),
    tf.float64: (tf.int64, tf.int64, 63, 0x7FF0000000000000),
}


def magnitude_keys(values: tf.Tensor) -> tf.Tensor:
    """Returns integer keys that order like the magnitudes of float values.

    Zero and minus zero have key 0. All NaNs share one key, above that of
    infinity. Keys are int32, or int64 for float64, and never negative.

    Raises:
        TypeError: if the dtype is not float16, bfloat16, float32 or float64.
    """
    if values.dtype not in _MAGNITUDE_BITS:
        raise TypeError(
            "Magnitudes are compared on float16, bfloat16, float32 or float64. "
            f"Received: dtype={values.dtype.name}. Cast the tensor first."
        )
    raw, key, bits, infinity = _MAGNITUDE_BITS[values.dtype]
    pattern = tf.cast(tf.bitcast(values, raw), key)
    sign_cleared = tf.bitwise.bitwise_and(
        pattern, tf.constant(2**bits - 1, key)
    )
    return tf.minimum(sign_cleared, tf.constant(infinity + 1, key))


def largest_mask(
    values: tf.Tensor, candidates: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    """Marks the `count` candidates of largest magnitude.

    Ties go to the lowest flat index (row-major), NaN counts as larger than
    infinity, and positions that are not candidates are never marked.

    Args:
        values: float tensor of static shape.
        candidates: bool tensor of the same shape.
        count: integer scalar tensor or int, 0 <= count <= number of
            candidates.

    Returns:
        bool tensor of the same shape with exactly `count` true entries.
    """
    keys = _candidate_keys(values, candidates)
    return _largest_keys_mask(keys, count, _MAGNITUDE_BITS[values.dtype][2])


def largest_of_all(
    scores: Sequence[tf.Tensor],
    candidates: Sequence[tf.Tensor],
    count: tf.Tensor,
) -> list[tf.Tensor]:
    """Marks the `count` candidates of largest magnitude over several weights.

    Ties go to the first weight, then to the lowest flat index. Scores are
    compared as float32, or as float64 if all are. Each tensor of scores, of
    static shape, has a bool tensor of candidates; the result has one bool
    tensor per weight.
    """
    is_wide = all(score.dtype == tf.float64 for score in scores)
    dtype = tf.float64 if is_wide else tf.float32
    flat_scores = [tf.reshape(tf.cast(s, dtype), [-1]) for s in scores]
    flat_candidates = [tf.reshape(c, [-1]) for c in candidates]
    marked = largest_mask(
        tf.concat(flat_scores, 0), tf.concat(flat_candidates, 0), count
    )
    sizes = [flat.shape[0] for flat in flat_scores]
    return [
        tf.reshape(part, score.shape)
        for part, score in zip(tf.split(marked, sizes), scores, strict=True)
    ]


def largest_in_rows(
    values: tf.Tensor, candidates: tf.Tensor, counts: tf.Tensor
) -> tf.Tensor:
    """Marks the `counts[r]` candidates of largest magnitude in each row r.

    Within a row, ties go to the lowest index, NaN counts as larger than
    infinity, and positions that are not candidates are never marked; if a row
    has fewer candidates than its count, all are marked. One bisection searches
    all rows together.

    Args:
        values: float tensor of static shape [rows, size].
        candidates: bool tensor of the same shape.
        counts: integer tensor of shape [rows], each >= 0.
    """
    keys = _candidate_keys(values, candidates)
    return _largest_keys_in_rows(keys, counts, _MAGNITUDE_BITS[values.dtype][2])


def _candidate_keys(values: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    # The key -1 is below that of every candidate and is never selected.
    none = tf.constant(-1, magnitude_key_dtype(values.dtype))
    return tf.where(candidates, magnitude_keys(values), none)


def magnitude_key_dtype(dtype: tf.DType) -> tf.DType:
    """Returns the integer dtype of `magnitude_keys` for values of `dtype`."""
    return _MAGNITUDE_BITS[dtype][1]


def largest_integers_mask(keys: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Marks the `count` largest integer keys; ties go to the lowest index.

    The keys are int32 or int64 of static shape; a key of -1 is never marked.
    """
    return _largest_keys_mask(keys, count, 8 * keys.dtype.size - 1)


def _largest_keys_mask(
    keys: tf.Tensor, count: tf.Tensor, bits: int
) -> tf.Tensor:
    flat = tf.reshape(keys, [-1])
    chosen = _largest_keys_in_rows(flat, count, bits)
    return tf.reshape(chosen, keys.shape)


def _largest_keys_in_rows(
    keys: tf.Tensor, counts: tf.Tensor, bits: int
) -> tf.Tensor:
    select = _selection(tuple(keys.shape), keys.dtype, bits)
    return select(keys, tf.cast(counts, tf.int64))


@functools.cache
def _selection(shape: tuple[int, ...], dtype: tf.DType, bits: int) -> Any:
    """Returns the selection among keys of one shape as a graph function.

    Weights of the same size share the function, so the graph of a training step
    contains its loops only once.
    """
    return tf.function(
        functools.partial(_select, bits=bits),
        input_signature=[
            tf.TensorSpec(shape, dtype),
            tf.TensorSpec(shape[:-1], tf.int64),
        ],
        autograph=False,
        experimental_attributes={"_noinline": True},
    )


# From here on, keys have the shape [..., size], and counts and thresholds have
# the shape [...]: one entry per row.


def _select(keys: tf.Tensor, counts: tf.Tensor, bits: int) -> tf.Tensor:
    """Marks the `counts` largest keys of each row; ties to the lowest index."""
    found = kth_largest_key(keys, counts, bits)
    threshold = tf.expand_dims(found.threshold, -1)

    def without_some_ties() -> tf.Tensor:
        tied = tf.equal(keys, threshold)
        return (keys > threshold) | (tied & _lowest_indices(tied, found.ties))

    # Usually all keys at the threshold are selected, and no tie needs breaking.
    return tf.cond(
        tf.reduce_all(found.equal <= found.ties),
        lambda: keys >= threshold,
        without_some_ties,
    )


def _lowest_indices(tied: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Marks all indices below the bound that covers `wanted` tied entries.

    The bound of each row is found by bisection over the index.
    """
    size = tied.shape[-1]
    index_dtype = tf.int32 if size < 2**31 else tf.int64
    end = tf.fill(tied.shape[:-1], tf.constant(size, index_dtype))

    def halve(low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # A row that has converged, low = high, does not change any more,
        # because enough tied entries lie below its bound.
        middle = low + (high - low) // 2
        below = tied & _indices_below(middle, size)
        enough = count_true_in_rows(below) >= wanted
        return (
            tf.where(enough, low, middle + 1),
            tf.where(enough, middle, high),
        )

    bound, _ = tf.while_loop(
        lambda low, high: tf.reduce_any(low < high),
        halve,
        (tf.zeros_like(end), end),
    )
    return _indices_below(bound, size)


def _indices_below(bound: tf.Tensor, size: int) -> tf.Tensor:
    """Marks the indices 0, 1, ... below the bound of each row: [..., size].

    Compares short pieces with a bound each, because XLA would embed one long
    range in the program as a literal with all of its numbers.
    """
    piece = max(1, min(size, _PIECE))
    starts = tf.range(0, size, piece, dtype=bound.dtype)
    bounds = tf.expand_dims(bound, -1) - starts
    below = tf.range(piece, dtype=bound.dtype) < tf.expand_dims(bounds, -1)
    flat = tf.reshape(below, [*bound.shape, starts.shape[0] * piece])
    return flat[..., :size]
