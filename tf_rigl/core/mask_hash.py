"""Fingerprints of masks, to tell cheaply whether two masks are equal."""

import tensorflow as tf

from tf_rigl.core.diagnostics import pack_mask

# SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators",
# OOPSLA 2014): each multiplication and shift is invertible, and the result
# depends on all bits of the argument.
_GOLDEN = 0x9E3779B97F4A7C15
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31


def mask_hash(mask: tf.Tensor) -> tf.Tensor:
    """Returns a 64-bit hash of a bool mask, an int64 scalar.

    Each word of the packed mask is mixed with its position, and the results are
    added modulo 2^64. Integer addition is associative, so every device gets the
    same hash in whatever order it adds. Two different masks collide with a
    probability of about 2^-64 unless they were constructed to. The dtype is
    int64 because it is the only 64-bit dtype that all devices can communicate.
    """
    words = tf.cast(pack_mask(mask), tf.uint64)
    positions = tf.range(1, words.shape[0] + 1, dtype=tf.int64)
    keys = tf.cast(positions, tf.uint64) * _uint64(_GOLDEN)
    mixed = tf.bitcast(
        _mix(tf.bitwise.bitwise_xor(words, _mix(keys))), tf.int64
    )
    return tf.reduce_sum(mixed)


def _mix(values: tf.Tensor) -> tf.Tensor:
    """Applies the output function of SplitMix64, element by element."""
    for shift, factor in _ROUNDS:
        values = _xor_shifted(values, shift) * _uint64(factor)
    return _xor_shifted(values, _LAST_SHIFT)


def _xor_shifted(values: tf.Tensor, shift: int) -> tf.Tensor:
    shifted = tf.bitwise.right_shift(values, _uint64(shift))
    return tf.bitwise.bitwise_xor(values, shifted)


def _uint64(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)
