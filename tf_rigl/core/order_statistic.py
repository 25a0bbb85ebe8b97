"""The k-th largest of integer keys, without sorting."""

import tensorflow as tf

from tf_rigl.core.counting import count_true_in_rows

# Bits of a key that one pass of counting settles.
_DIGIT = 11


def kth_largest_key(keys: tf.Tensor, counts: tf.Tensor, bits: int) -> tf.Tensor:
    """The largest threshold of each row that `counts` of its keys reach.

    With a count of 0 every threshold is reached by enough keys, and the
    result is the largest integer of `bits` bits; where there are fewer keys
    of 0 and above than are asked for, it is 0.

    Args:
        keys: int32 or int64 tensor of static shape [..., size], entries
            below 2**bits; negative ones do not count.
        counts: int64 tensor of shape [...], each >= 0.
        bits: of the keys.

    Returns:
        Tensor of shape [...] and the dtype of the keys.
    """
    if keys.shape.rank == 1 and not _scatters_one_by_one():
        return _by_digits(keys, counts, bits)
    return _by_bisection(keys, counts, bits)


def _scatters_one_by_one() -> bool:
    """Whether a histogram takes longer than counting 31 times, as on a TPU.

    XLA makes it a scatter, of which a TPU does one entry after the other;
    see docs/scale.md.
    """
    return bool(tf.config.list_logical_devices("TPU"))


def _by_digits(keys: tf.Tensor, count: tf.Tensor, bits: int) -> tf.Tensor:
    """One row: settles the threshold digit by digit from the highest.

    Each pass counts how many of the keys that begin as the threshold does
    have which next digit: three passes over float32's keys, where bisection
    takes 31.
    """
    threshold = tf.zeros([], keys.dtype)
    # The compiler of TPUs cannot add up a histogram of 64-bit numbers.
    size = keys.shape[0]
    dtype = tf.int32 if size + 1 < 2**31 else tf.int64
    count = tf.cast(tf.minimum(count, size + 1), dtype)
    todo = bits
    while todo:
        width = min(_DIGIT, todo)
        left, todo = todo, todo - width
        digits = tf.bitwise.bitwise_and(
            tf.bitwise.right_shift(keys, todo), 2**width - 1
        )
        # A negative key begins as no threshold does.
        matches = tf.equal(tf.bitwise.right_shift(keys, left), threshold)
        histogram = _histogram(digits, matches, 2**width, dtype)
        reaching = tf.cumsum(histogram, reverse=True)
        enough = tf.cast(reaching >= count, keys.dtype)
        digit = tf.maximum(tf.reduce_sum(enough) - 1, 0)
        threshold = tf.bitwise.left_shift(threshold, width) + digit
        above = reaching - histogram
        count -= tf.gather(above, digit)
    return threshold


def _histogram(
    digits: tf.Tensor, counted: tf.Tensor, size: int, dtype: tf.DType
) -> tf.Tensor:
    """[size] of `dtype`, how often each digit occurs among those counted."""
    # What lies outside the bins is ignored.
    return tf.raw_ops.DenseBincount(
        input=tf.where(counted, tf.cast(digits, tf.int32), size),
        size=size,
        weights=tf.zeros([0], dtype),
        binary_output=False,
    )


def _by_bisection(keys: tf.Tensor, counts: tf.Tensor, bits: int) -> tf.Tensor:
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
    return threshold
