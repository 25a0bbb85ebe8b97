"""Exact counts and the k-th largest of integer keys, without sorting."""

from typing import NamedTuple

import tensorflow as tf

# Sums of ones in float32 are exact up to this count. Integer sums of tensors
# on a GPU run on the host, so counts are summed as floats while they fit.
_EXACT_FLOAT32_COUNT = 2**24
# Bits of a key settled by one pass; the 31 bits of float32 keys take three.
_DIGIT = 11


class OrderStatistic(NamedTuple):
    """Threshold of the largest keys in each row, and how to break ties."""

    # [...], dtype of the keys: all keys above it are chosen.
    threshold: tf.Tensor
    # [...], int64: how many of the keys equal to the threshold are chosen.
    ties: tf.Tensor
    # [...], int64: how many non-negative keys equal the threshold.
    equal: tf.Tensor


def kth_largest_key(
    keys: tf.Tensor, counts: tf.Tensor, bits: int
) -> OrderStatistic:
    """Finds, in each row, the largest threshold that `counts` keys reach.

    If a row's count is 0, its threshold is the largest integer of `bits` bits.
    If fewer non-negative keys exist than the count asks for, it is 0.

    Args:
        keys: int32 or int64 tensor of static shape [..., size] with entries
            below 2**bits; negative keys are ignored.
        counts: int64 tensor of shape [...], each >= 0.
        bits: number of bits of the keys.
    """
    if keys.shape.rank == 1 and not _scatters_one_by_one():
        return _by_digits(keys, counts, bits)
    return _by_bisection(keys, counts, bits)


def _scatters_one_by_one() -> bool:
    """Returns whether a histogram is slower than 31 counts, as on a TPU.

    XLA compiles a histogram to a scatter, which a TPU executes one entry at a
    time; see docs/scale.md.
    """
    return bool(tf.config.list_logical_devices("TPU"))


def _by_digits(keys: tf.Tensor, count: tf.Tensor, bits: int) -> OrderStatistic:
    """Finds the order statistic of one row, highest digit first.

    Each pass makes a histogram of the next digit over the keys that share the
    threshold's leading digits: three passes over float32 keys, where bisection
    takes 31. A pass uses as few operations as possible, because waking the
    threads of an operation takes longer than most of these operations do.
    """
    # The TPU compiler does not support 64-bit histograms.
    size = keys.shape[0]
    dtype = tf.int32 if size + 1 < 2**31 else tf.int64
    count = tf.cast(tf.minimum(count, size + 1), dtype)

    # Negative keys are no candidates. Set to 0, they can only equal a threshold
    # of 0; in that case they are subtracted again below.
    candidates = tf.maximum(keys, 0)

    rest, threshold = candidates, tf.zeros([], keys.dtype)
    equal, bits_left = tf.constant(size, dtype), bits
    while bits_left:
        width = min(_DIGIT, bits_left)
        bits_left -= width
        histogram = _histogram(
            tf.bitwise.right_shift(rest, bits_left) if bits_left else rest,
            2**width,
            dtype,
        )

        reaching = tf.cumsum(histogram, reverse=True)
        enough = tf.cast(reaching >= count, keys.dtype)
        digit = tf.maximum(tf.reduce_sum(enough) - 1, 0)
        threshold += tf.bitwise.left_shift(digit, bits_left)

        # A key whose leading digits differ from the threshold's is now larger
        # than every bin, so later histograms ignore it.
        rest = tf.bitwise.bitwise_xor(candidates, threshold)
        equal = tf.gather(histogram, digit)
        count -= tf.gather(reaching, digit) - equal

    no_candidates = tf.cond(
        tf.equal(threshold, 0),
        lambda: count_true_in_rows(keys < 0),
        lambda: tf.constant(0, tf.int64),
    )
    return OrderStatistic(
        threshold,
        tf.cast(count, tf.int64),
        tf.cast(equal, tf.int64) - no_candidates,
    )


def _histogram(digits: tf.Tensor, size: int, dtype: tf.DType) -> tf.Tensor:
    """Counts each digit below `size`, ignoring larger ones: `dtype` [size]."""
    return tf.raw_ops.DenseBincount(
        input=digits,
        size=tf.constant(size, digits.dtype),
        weights=tf.zeros([0], dtype),
        binary_output=False,
    )


def _by_bisection(
    keys: tf.Tensor, counts: tf.Tensor, bits: int
) -> OrderStatistic:
    """Finds the thresholds of all rows together, one bit at a time.

    With many rows, a histogram per row would be larger than the rows.
    """
    one = tf.constant(1, keys.dtype)

    def set_bit_if_reached(
        bit: tf.Tensor, threshold: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        candidate = threshold + tf.bitwise.left_shift(one, bit)
        reaches = keys >= tf.expand_dims(candidate, -1)
        reached = count_true_in_rows(reaches) >= counts
        return bit - one, tf.where(reached, candidate, threshold)

    _, threshold = tf.while_loop(
        lambda bit, _: bit >= 0,
        set_bit_if_reached,
        (
            tf.constant(bits - 1, keys.dtype),
            tf.zeros(keys.shape[:-1], keys.dtype),
        ),
        maximum_iterations=bits,
    )

    bound = tf.expand_dims(threshold, -1)
    above = count_true_in_rows(keys > bound)
    equal = count_true_in_rows(tf.equal(keys, bound))
    return OrderStatistic(threshold, counts - above, equal)


def count_true(condition: tf.Tensor) -> tf.Tensor:
    """Counts the true entries of a bool tensor of static shape, int64."""
    return _count_true(condition, None, condition.shape.num_elements())


def count_true_in_rows(condition: tf.Tensor) -> tf.Tensor:
    """Counts the true entries along the last axis, int64 of shape [...]."""
    return _count_true(condition, -1, condition.shape[-1])


def _count_true(
    condition: tf.Tensor, axis: int | None, at_most: int
) -> tf.Tensor:
    exact = at_most <= _EXACT_FLOAT32_COUNT
    ones = tf.cast(condition, tf.float32 if exact else tf.int64)
    return tf.cast(tf.reduce_sum(ones, axis), tf.int64)
