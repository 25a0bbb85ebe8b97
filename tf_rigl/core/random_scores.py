"""Random numbers that are the same in eager mode, in graphs and under XLA.

They are made of integers, because floating-point generators may differ in the
last bit between devices, and with it the connection that they choose.
"""

from collections.abc import Sequence

import tensorflow as tf

# Bits of the floats from 0 up to, not including, 1.
_BELOW_ONE = 0x3F800000
_DICE, _SIDES = 12, 2**16


def random_scores(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Scores in [0, 1) whose order is uniformly random.

    Their values are not uniform: each of the 1.07e9 floats below 1 is as
    likely as any other, so that hardly two of a large weight are equal.

    Args:
        shape: static.
        seed: int64 tensor of shape [2], of `stateless_seed`.

    Returns:
        float32 tensor.
    """
    bits = tf.random.stateless_uniform(
        shape, seed, 0, _BELOW_ONE, tf.int32, alg="philox"
    )
    return tf.bitcast(bits, tf.float32)


def random_normal(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Nearly normal numbers of mean 0 and variance 1, within +-6.

    The sum of twelve uniform numbers, added up as integers.

    Args:
        shape: static.
        seed: int64 tensor of shape [2], of `stateless_seed`.

    Returns:
        float32 tensor.
    """
    dice = tf.random.stateless_uniform(
        (_DICE, *shape), seed, 0, _SIDES, tf.int32, alg="philox"
    )
    total = tf.reduce_sum(dice, axis=0) - _DICE * (_SIDES - 1) // 2
    return tf.cast(total, tf.float32) / _SIDES
