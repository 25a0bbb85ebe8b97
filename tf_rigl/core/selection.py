"""Exact selection of the k largest entries by magnitude, without sorting.

The bit pattern of a non-negative IEEE float, read as an integer, grows with
the float. So the k-th largest magnitude is found by bisection on the bits of
that integer key, from the highest to the lowest: one counting pass a bit,
static shapes throughout. Keys are integers because float comparisons may
treat denormals as zero on some devices; integers compare alike in eager mode,
in graphs and under XLA.
"""

import functools
from typing import Any

import tensorflow as tf

_MAGNITUDE_BITS = {
    tf.float16: (tf.uint16, tf.int32, 15, 0x7C00),
    tf.bfloat16: (tf.uint16, tf.int32, 15, 0x7F80),
    tf.float32: (tf.int32, tf.int32, 31, 0x7F800000),
    tf.float64: (tf.int64, tf.int64, 63, 0x7FF0000000000000),
}

# A sum of ones in float32 is exact up to here. Integer sums run on the host
# when the tensor lives on a GPU, so counts are summed as floats while they fit.
_EXACT_FLOAT32_COUNT = 2**24


def count_true(condition: tf.Tensor) -> tf.Tensor:
    """Number of true entries, exact at any size.

    Args:
        condition: bool tensor of static shape.

    Returns:
        int64 scalar.
    """
    if condition.shape.num_elements() <= _EXACT_FLOAT32_COUNT:
        total = tf.reduce_sum(tf.cast(condition, tf.float32))
    else:
        total = tf.reduce_sum(tf.cast(condition, tf.int64))
    return tf.cast(total, tf.int64)


def magnitude_keys(values: tf.Tensor) -> tf.Tensor:
    """Integers that order as the magnitudes of `values` do.

    Zero and minus zero have key 0, every NaN has the same key, above
    infinity's.

    Args:
        values: float16, bfloat16, float32 or float64 tensor.

    Returns:
        int32 tensor of the same shape (int64 for float64), all entries >= 0.

    Raises:
        TypeError: for another dtype.
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
    infinity, and what is no candidate is never marked.

    Args:
        values: float tensor of static shape.
        candidates: bool tensor of the same shape.
        count: integer scalar tensor or int, 0 <= count <= number of
            candidates.

    Returns:
        bool tensor of the same shape with exactly `count` true entries.
    """
    # The key -1 is below every candidate's and is never reached.
    keys = tf.where(
        candidates,
        magnitude_keys(values),
        tf.constant(-1, magnitude_key_dtype(values.dtype)),
    )
    return _largest_keys_mask(
        keys, tf.cast(count, tf.int64), _MAGNITUDE_BITS[values.dtype][2]
    )


def magnitude_key_dtype(dtype: tf.DType) -> tf.DType:
    """The integer dtype of `magnitude_keys` for values of `dtype`."""
    return _MAGNITUDE_BITS[dtype][1]


def largest_integers_mask(keys: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Marks the `count` largest of non-negative int32 keys, ties by index.

    Args:
        keys: int32 tensor of static shape, entries >= 0; -1 is never marked.
        count: integer scalar, at most the number of entries >= 0.

    Returns:
        bool tensor of the same shape with exactly `count` true entries.
    """
    return _largest_keys_mask(keys, tf.cast(count, tf.int64), 31)


def _largest_keys_mask(
    keys: tf.Tensor, count: tf.Tensor, bits: int
) -> tf.Tensor:
    flat = tf.reshape(keys, [-1])
    select = _selection(flat.shape[0], keys.dtype, bits)
    return tf.reshape(select(flat, count), keys.shape)


@functools.cache
def _selection(size: int, dtype: tf.DType, bits: int) -> Any:
    """The selection among `size` keys as one graph function.

    A network has many weights of one size; each calls the same function, so
    that the graph of a training step holds its loops once.
    """
    return tf.function(
        functools.partial(_select, bits=bits),
        input_signature=[
            tf.TensorSpec([size], dtype),
            tf.TensorSpec([], tf.int64),
        ],
        autograph=False,
        experimental_attributes={"_noinline": True},
    )


def _select(keys: tf.Tensor, count: tf.Tensor, bits: int) -> tf.Tensor:
    threshold = _kth_largest_key(keys, count, bits)
    above = keys > threshold
    tied = tf.equal(keys, threshold)
    wanted = count - count_true(above)
    return above | (tied & _lowest_indices(tied, wanted))


def _kth_largest_key(keys: tf.Tensor, count: tf.Tensor, bits: int) -> tf.Tensor:
    """The largest threshold that at least `count` keys reach.

    With count = 0 every threshold is reached by enough keys, and the result
    is the largest integer of `bits` bits, which no magnitude has.
    """
    one = tf.constant(1, keys.dtype)

    def set_bit_if_reached(
        bit: tf.Tensor, threshold: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        candidate = threshold + tf.bitwise.left_shift(one, bit)
        reached = count_true(keys >= candidate) >= count
        return bit - one, tf.where(reached, candidate, threshold)

    _, threshold = tf.while_loop(
        lambda bit, _: bit >= 0,
        set_bit_if_reached,
        (tf.constant(bits - 1, keys.dtype), tf.constant(0, keys.dtype)),
        maximum_iterations=bits,
    )
    return threshold


def _lowest_indices(tied: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
    """Marks all indices below the bound under which `wanted` are `tied`.

    The bound comes from bisection over the flat index; the loop does not run
    at all where every tied entry is wanted, the usual case.
    """
    size = tied.shape.num_elements()
    index_dtype = tf.int32 if size < 2**31 else tf.int64
    index = tf.reshape(tf.range(size, dtype=index_dtype), tied.shape)
    end = tf.constant(size, index_dtype)
    all_wanted = count_true(tied) <= wanted

    def halve(low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        middle = low + (high - low) // 2
        enough = count_true(tied & (index < middle)) >= wanted
        return (
            tf.where(enough, low, middle + 1),
            tf.where(enough, middle, high),
        )

    bound, _ = tf.while_loop(
        lambda low, high: low < high,
        halve,
        (tf.where(all_wanted, end, tf.zeros_like(end)), end),
    )
    return index < bound
