"""Masks whose positions are drawn independently, each by its own odds."""

import math

import numpy as np
import tensorflow as tf

from tf_rigl.core import random_masks


def draw(
    logits: tf.Tensor, seed: int, path: str, number: int | tf.Tensor
) -> tf.Tensor:
    """Draws a mask in which a position is active with probability σ(logit).

    Equal logits give equal masks on every machine. A number of 31 random bits
    is compared with σ in float64: in float32, the last bit of σ depends on the
    compiler, which would change about one of 10 million positions.

    Args:
        logits: float tensor of static shape.
        seed: the user's seed, any 32-bit integer.
        path: the weight's path.
        number: number of the draw, 0 <= number < 2**31.

    Returns:
        bool tensor of the same shape.
    """
    dice = random_masks.random_bits(
        logits.shape, random_masks.stateless_seed(seed, path, number)
    )
    odds = tf.sigmoid(tf.cast(logits, tf.float64))
    return tf.cast(dice, tf.float64) < tf.int32.max * odds


def threshold(logits: np.ndarray, at: float) -> np.ndarray:
    """Returns the mask of positions with a probability above `at`.

    Args:
        logits: float array.
        at: a probability in (0, 1).
    """
    return logits.astype(np.float64) > math.log(at / (1 - at))
