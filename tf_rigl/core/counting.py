"""Exact counts of true entries, on every device."""

import tensorflow as tf

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
    return _count_true(condition, None, condition.shape.num_elements())


def count_true_in_rows(condition: tf.Tensor) -> tf.Tensor:
    """Number of true entries along the last axis, exact at any size.

    Args:
        condition: bool tensor of static shape [..., size].

    Returns:
        int64 tensor of shape [...].
    """
    return _count_true(condition, -1, condition.shape[-1])


def _count_true(
    condition: tf.Tensor, axis: int | None, at_most: int
) -> tf.Tensor:
    exact = at_most <= _EXACT_FLOAT32_COUNT
    ones = tf.cast(condition, tf.float32 if exact else tf.int64)
    return tf.cast(tf.reduce_sum(ones, axis), tf.int64)
