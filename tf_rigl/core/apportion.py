"""Integer division of connections among weights without a remainder."""

import tensorflow as tf

from tf_rigl.core import selection

# Number of fraction bits of a float64.
_FRACTION_BITS = 52
# Exponent of the smallest normal numbers. Denormals have the same one,
# although their exponent field holds 0.
_SMALLEST_EXPONENT = 1
# Number of leading bits of a share that are used, out of 53. With 30 of them,
# products with totals below 2**32 stay within 62 bits.
_SHARE_BITS = 30


def apportion(
    total: int | tf.Tensor, shares: tf.Tensor, capacities: tf.Tensor
) -> tf.Tensor:
    """Splits a total in proportion to shares without exceeding capacities.

    If a layer is full, the excess is redistributed among the other layers in
    proportion to their shares. Layers whose share is 0 receive connections only
    after all others are full, and then equally. Fractions are resolved by the
    method of largest remainders; ties go to the lowest index.

    Shares are converted to integers in units of 2**-30 of the power of two
    below the largest share, so the result is the same in eager mode, in graphs
    and under XLA.

    Args:
        total: integer scalar, 0 <= total < 2**32.
        shares: float64 tensor of static shape [layers], >= 0. If all are 0,
            or one is not finite, layers share equally.
        capacities: integer tensor of shape [layers], >= 0.

    Returns:
        int64 tensor [layers] with the sum min(total, sum(capacities)).
    """
    capacities = tf.cast(capacities, tf.int64)
    total = tf.minimum(tf.cast(total, tf.int64), tf.reduce_sum(capacities))
    shares = _integer_shares(tf.cast(shares, tf.float64))

    def fill(is_open: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        quotas, _ = _quotas(total, shares, capacities, is_open)
        is_full = is_open & (quotas >= capacities)
        return is_open & ~is_full, tf.reduce_any(is_full)

    # A layer that is filled can only raise the quotas of the others.
    is_open, _ = tf.while_loop(
        lambda _, changed: changed,
        fill,
        (tf.ones(shares.shape, tf.bool), tf.constant(True)),
    )

    quotas, remainders = _quotas(total, shares, capacities, is_open)
    counts = tf.where(is_open, quotas, capacities)
    one_more = selection.largest_integers_mask(
        tf.where(is_open, remainders, -1), total - tf.reduce_sum(counts)
    )
    return counts + tf.cast(one_more, tf.int64)


def _quotas(
    total: tf.Tensor,
    shares: tf.Tensor,
    capacities: tf.Tensor,
    is_open: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Divides among the open layers what the full layers leave.

    Returns integer quotas and remainders in units of 1 / (sum of open shares).
    """
    none = tf.zeros_like(capacities)
    left = total - tf.reduce_sum(tf.where(is_open, none, capacities))
    open_shares = tf.where(is_open, shares, none)
    # If no open layer has a share, all of them get the same.
    any_share = tf.reduce_any(open_shares > 0)
    open_shares = tf.where(any_share, open_shares, tf.cast(is_open, tf.int64))
    divisor = tf.maximum(tf.reduce_sum(open_shares), 1)
    products = left * open_shares
    quotas = products // divisor
    return quotas, products - quotas * divisor


def _integer_shares(shares: tf.Tensor) -> tf.Tensor:
    """Converts shares to 30-bit integers, the largest with its top bit set."""
    bits = selection.magnitude_keys(shares)
    exponents = tf.bitwise.right_shift(
        bits, tf.constant(_FRACTION_BITS, tf.int64)
    )

    hidden = tf.constant(2**_FRACTION_BITS, tf.int64)
    fractions = tf.bitwise.bitwise_and(bits, hidden - 1)
    significands = tf.where(exponents > 0, fractions + hidden, fractions)
    exponents = tf.maximum(exponents, _SMALLEST_EXPONENT)

    below = tf.reduce_max(exponents) - exponents
    dropped = _FRACTION_BITS + 1 - _SHARE_BITS
    # A shift by as many bits as the integer has is undefined.
    result = tf.bitwise.right_shift(
        significands, tf.minimum(below + dropped, 63)
    )

    finite = tf.reduce_all(tf.math.is_finite(shares))
    return tf.where(finite, result, tf.ones_like(result))
