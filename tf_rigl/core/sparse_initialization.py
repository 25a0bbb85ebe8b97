"""Rescaling of initial values to the connections that a mask keeps.

Initializers choose a kernel's variance for its full fan-in. If a mask keeps a
fraction d of the connections, activations and gradients shrink with every layer
unless the values grow by √(1 / d).
"""

import math

import tensorflow as tf

SCALES = ("layer", "unit")


def scale_to_connections(
    values: tf.Tensor, mask: tf.Tensor, per: str
) -> tf.Tensor:
    """Scales a kernel's initial values to its number of connections.

    For initializers with variance c / fan-in, such as He's and LeCun's, the
    result has variance c / connections. For initializers that also depend on
    fan-out, such as Glorot's, the variance grows by the same factor. Units
    without connections are not changed.

    Args:
        values: float tensor of static shape [positions, inputs, units].
        mask: bool tensor of the same shape.
        per: `"layer"` for one factor, √(elements / connections), as Liu et al.
            (arXiv:1810.05270) scale pruned networks; `"unit"` for one factor
            per unit, √(full fan-in / its connections), as in Evci et al.,
            "Gradient Flow in Sparse Neural Networks and How Lottery Tickets
            Win" (arXiv:2010.03533), section 3.1.
    """
    axes = [0, 1, 2] if per == "layer" else [0, 1]
    full = math.prod(values.shape[axis] for axis in axes)
    kept = tf.reduce_sum(tf.cast(mask, tf.int64), axis=axes, keepdims=True)
    factor = tf.sqrt(full / tf.cast(tf.maximum(kept, 1), tf.float64))
    return tf.cast(tf.cast(values, tf.float64) * factor, values.dtype)
