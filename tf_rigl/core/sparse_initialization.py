"""Initial values scaled to the connections that a mask leaves.

Initializers choose a kernel's variance for its full fan-in. Where a mask
leaves a fraction of it, activations and gradients shrink with every layer
unless the values grow by the root of the inverse.
"""

import math

import tensorflow as tf

SCALES = ("layer", "unit")


def scale_to_connections(
    values: tf.Tensor, mask: tf.Tensor, per: str
) -> tf.Tensor:
    """Scales a kernel's initial values to its connections.

    For initializers with a variance of c / fan-in, such as He's and LeCun's,
    the result has the variance c / connections. For those that look at
    fan-out too, such as Glorot's, it is larger by the same factor. A unit
    without connections stays as it is.

    Args:
        values: float tensor of static shape [positions, inputs, units].
        mask: bool tensor of the same shape.
        per: `"layer"`, one factor, the root of elements over connections, as
            Liu et al. (arXiv:1810.05270) scale pruned networks; `"unit"`, a
            factor for each unit, the root of its full fan-in over its own, as
            Evci et al., "Gradient Flow in Sparse Neural Networks and How
            Lottery Tickets Win" (arXiv:2010.03533), section 3.1.
    """
    axes = [0, 1, 2] if per == "layer" else [0, 1]
    full = math.prod(values.shape[axis] for axis in axes)
    kept = tf.reduce_sum(tf.cast(mask, tf.int64), axis=axes, keepdims=True)
    factor = tf.sqrt(full / tf.cast(tf.maximum(kept, 1), tf.float64))
    return tf.cast(tf.cast(values, tf.float64) * factor, values.dtype)
