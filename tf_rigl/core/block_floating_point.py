"""Block floating point numbers: integers that share an exponent.

Yang et al., "SWALP: Stochastic Weight Averaging in Low-Precision Training",
ICML 2019, arXiv:1904.11943. All sums and products here are exact in float32,
so that values are the same in eager mode, in graphs and under XLA.
"""

import tensorflow as tf

# Fewer bits could not scale the largest float32 numbers; with more, integers
# and random numbers would not fit into the 24 bits of a float32 together.
MIN_BITS, MAX_BITS = 3, 16
ROUNDINGS = ("stochastic", "nearest")

_MANTISSA = 23  # bits of a float32 number below its exponent
_DIGITS = 24


def quantize(
    values: tf.Tensor, bits: int, axis: int = 0, drawn: tf.Tensor | None = None
) -> tf.Tensor:
    """Rounds values to integers of so many bits, times a power of two.

    All values of a block have the same power: E = floor(log2 max |x|),
    s = 2^(E - (bits - 2)), q = clip(floor(x / s + u), -2^(bits - 1),
    2^(bits - 1) - 1) · s. The error is below s; with random u its mean is 0,
    except where values are clipped. Zeros stay zero. Quantizing again changes
    nothing, unless a block has the lowest integer, which belongs to the next
    exponent.

    Values below 2^(bits - 128) in a block of such are rounded to multiples of
    2^-126, as smaller numbers may be flushed to zero. What is not finite stays
    what it is.

    Args:
        values: float tensor of known rank.
        bits: bits of an integer, from `MIN_BITS` to `MAX_BITS`.
        axis: the axis along which each slice is a block.
        drawn: integers of random u in (0, 1) for each value, a result of
            `random_masks.random_bits`. None for u = 1/2, which rounds to the
            nearest.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ValueError: if the rank is unknown.
    """
    rank = values.shape.rank
    if rank is None:
        raise ValueError(
            "The blocks of values are known by their rank. Received: "
            f"values={values!r}. Give them a shape by `tf.ensure_shape`."
        )
    inputs = tf.cast(values, tf.float32)
    is_finite = tf.math.is_finite(inputs)
    sizes = tf.where(is_finite, tf.abs(inputs), tf.zeros_like(inputs))

    if rank:
        others = [one for one in range(rank) if one != axis % rank]
        sizes = tf.reduce_max(sizes, axis=others, keepdims=True)
    exponents = tf.bitwise.right_shift(tf.bitcast(sizes, tf.int32), _MANTISSA)
    exponents = tf.maximum(exponents - (bits - 2), 1)
    scales = _power_of_two(exponents)
    scaled = inputs * _power_of_two(254 - exponents)

    below = tf.floor(scaled)
    # Exactly floor(scaled + u), where a sum would be rounded.
    rounded = below + tf.cast(
        scaled >= below + _distances(bits, drawn), tf.float32
    )
    limit = float(2 ** (bits - 1))
    quantized = scales * tf.clip_by_value(rounded, -limit, limit - 1)
    return tf.cast(tf.where(is_finite, quantized, inputs), values.dtype)


def _distances(bits: int, drawn: tf.Tensor | None) -> tf.Tensor:
    """Returns 1 - u, the distances from which values are rounded up."""
    if drawn is None:
        return tf.constant(0.5, tf.float32)
    # As many bits as leave room for the integers, and a half, so that u is
    # never 0 and has the mean 1/2.
    digits = _DIGITS - bits
    drawn = tf.bitwise.bitwise_and(drawn, 2**digits - 1)
    return 1.0 - (tf.cast(drawn, tf.float32) + 0.5) * 2.0**-digits


def _power_of_two(exponents: tf.Tensor) -> tf.Tensor:
    """Returns 2^(e - 127) for int32 e in [1, 254], exactly."""
    return tf.bitcast(tf.bitwise.left_shift(exponents, _MANTISSA), tf.float32)
