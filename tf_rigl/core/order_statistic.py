"""The k-th largest of integer keys, without sorting, and exact counts."""

from typing import NamedTuple

import tensorflow as tf

# A sum of ones in float32 is exact up to here. Integer sums run on the host
# when the tensor lives on a GPU, so counts are summed as floats while they fit.
_EXACT_FLOAT32_COUNT = 2**24
# Bits of a key that one pass of counting settles: float32's 31 take three.
_DIGIT = 11


class OrderStatistic(NamedTuple):
    """The threshold above which keys are the largest of each row."""

    threshold: tf.Tensor  # [...], dtype of the keys: larger ones are chosen
    # [...], int64: so many of the keys that equal the threshold are, too.
    ties: tf.Tensor
    # [...], int64: so many of the keys that count equal the threshold.
    equal: tf.Tensor


def kth_largest_key(
    keys: tf.Tensor, counts: tf.Tensor, bits: int
) -> OrderStatistic:
    """Finds the largest threshold of each row that `counts` of its keys reach.

    With a count of 0 every threshold is reached by enough keys, and it is the
    largest integer of `bits` bits; where there are fewer keys of 0 and above
    than are asked for, it is 0.

    Args:
        keys: int32 or int64 tensor of static shape [..., size], entries
            below 2**bits; negative ones do not count.
        counts: int64 tensor of shape [...], each >= 0.
        bits: of the keys.
    """
    if keys.shape.rank == 1 and not _scatters_one_by_one():
        return _by_digits(keys, counts, bits)
    return _by_bisection(keys, counts, bits)


def _scatters_one_by_one() -> bool:
    """Returns whether a histogram is slower than 31 counts, as on a TPU.

    XLA makes it a scatter, of which a TPU does one entry after the other;
    see docs/scale.md.
    """
    return bool(tf.config.list_logical_devices("TPU"))


def _by_digits(keys: tf.Tensor, count: tf.Tensor, bits: int) -> OrderStatistic:
    """Finds the order statistic of one row, digit by digit from the highest.

    Each pass counts how many of the keys that begin as the threshold does
    have which next digit: three passes over float32's keys, where bisection
    takes 31. Passes are made of as few operations as can be, because waking
    threads for an operation takes longer than most of them do.
    """
    # The compiler of TPUs cannot add up a histogram of 64-bit numbers.
    size = keys.shape[0]
    dtype = tf.int32 if size + 1 < 2**31 else tf.int64
    count = tf.cast(tf.minimum(count, size + 1), dtype)

    # Negative keys are no candidates. As zeros they can equal a threshold of 0
    # only, and are taken off again below.
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

        # A key that begins unlike the threshold exceeds every bin from here on,
        # so the histogram leaves it out.
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
    """[size] of `dtype`, how often each digit occurs; larger ones do not."""
    return tf.raw_ops.DenseBincount(
        input=digits,
        size=tf.constant(size, digits.dtype),
        weights=tf.zeros([0], dtype),
        binary_output=False,
    )


def _by_bisection(
    keys: tf.Tensor, counts: tf.Tensor, bits: int
) -> OrderStatistic:
    """Settles the thresholds of all rows together, bit by bit.

    For many rows: a histogram of each would be larger than a short row.
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
    """Counts the true entries of a bool tensor of static shape: an int64."""
    return _count_true(condition, None, condition.shape.num_elements())


def count_true_in_rows(condition: tf.Tensor) -> tf.Tensor:
    """Counts the true entries along the last axis: int64, shape [...]."""
    return _count_true(condition, -1, condition.shape[-1])


def _count_true(
    condition: tf.Tensor, axis: int | None, at_most: int
) -> tf.Tensor:
    exact = at_most <= _EXACT_FLOAT32_COUNT
    ones = tf.cast(condition, tf.float32 if exact else tf.int64)
    return tf.cast(tf.reduce_sum(ones, axis), tf.int64)
