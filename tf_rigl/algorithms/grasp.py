"""GraSP: prune before training, preserving the gradient flow."""

import tensorflow as tf


def flow_scores(values: tf.Tensor, product: tf.Tensor) -> tf.Tensor:
    """How much the gradient flow falls where a connection is removed.

    Args:
        values: float tensor, the weight θ.
        product: float tensor of its shape, H g, the product of the Hessian of
            the loss and its gradient.

    Returns:
        float32 tensor, θ · H g; connections of the largest (signed) score
        stay. The paper's S(-θ) = -θ · H g with the opposite sign, of which
        the largest go.

    Reference: Wang et al., "Picking Winning Tickets Before Training by
    Preserving Gradient Flow", ICLR 2020, arXiv:2002.07376, equation 8 and
    algorithm 1.
    """
    return tf.cast(values, tf.float32) * tf.cast(product, tf.float32)


def as_magnitudes(scores: list[tf.Tensor]) -> list[tf.Tensor]:
    """Non-negative scores in the same order, for selection by magnitude.

    Signed floats are ranked by their bits: those below zero, turned around,
    come before those above.

    Args:
        scores: finite float32 tensors.

    Returns:
        float32 tensors, compared by magnitude as `scores` by value.
    """
    return [_rank(score) for score in scores]


def _rank(score: tf.Tensor) -> tf.Tensor:
    # Half the range of positive floats for each sign; the lowest bit of a
    # magnitude is given up to have room for it.
    bits = tf.bitcast(score + 0.0, tf.int32)
    magnitude = tf.bitwise.right_shift(
        tf.bitwise.bitwise_and(bits, tf.int32.max), 1
    )
    middle = tf.constant(0x3FC00000, tf.int32)
    return tf.bitcast(
        tf.where(bits < 0, middle - magnitude, middle + magnitude), tf.float32
    )
