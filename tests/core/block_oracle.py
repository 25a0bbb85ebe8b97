"""Block floating point numbers by their formula, in float64."""

import numpy as np
import tensorflow as tf


def noise(shape, bits, seed):
    """The numbers u of a seed: 24 - bits random bits and a half."""
    digits = 24 - bits
    drawn = tf.random.stateless_uniform(
        shape, seed, 0, 2**31 - 1, tf.int32, alg="philox"
    )
    return (drawn.numpy() % 2**digits + 0.5) / 2**digits


def quantize(values, bits, axis=0, u=0.5):
    """Rounds float32 values; float64 holds their sums with u exactly."""
    values = np.asarray(values, np.float64)
    others = tuple(i for i in range(values.ndim) if i != axis % values.ndim)
    sizes = np.max(np.abs(values), axis=others, keepdims=True)
    _, exponents = np.frexp(sizes)  # of a number in [0.5, 1)
    scales = 2.0 ** np.maximum(exponents - 1.0 - (bits - 2), -126)
    limit = 2 ** (bits - 1)
    rounded = np.clip(np.floor(values / scales + u), -limit, limit - 1)
    return np.float32(rounded * scales)
