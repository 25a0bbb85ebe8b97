"""Weight decay as part of the loss, the same in both Keras flavors."""

from typing import Any

import tensorflow as tf

from tf_rigl.backend.flavor import model_flavor

# Not those of depthwise convolutions, which have few weights.
_KERNELS = ("kernel", "recurrent_kernel", "pointwise_kernel")


def add_weight_decay(model: Any, strength: float) -> None:
    """Adds half the sum of squares of all kernels to the loss of a model.

    The gradient of a weight gains `strength` times the weight, which is 0
    where there is no connection. What `evaluate` calls the loss has it, too.

    Args:
        model: A model of either Keras, built; changed in place.
        strength: Factor; 0 adds nothing.

    Reference: google-research/rigl, which adds `tf.nn.l2_loss` of the kernels
    to its losses.
    """
    if not strength:
        return
    flavor = model_flavor(model)
    kernels = [one for one in model.trainable_variables if _is_kernel(one)]
    if flavor.name == "keras3":
        regularizer = flavor.keras.regularizers.L2(strength / 2)
        for kernel in kernels:
            kernel.regularizer = regularizer
        return
    model.add_loss(
        lambda: strength * tf.add_n([tf.nn.l2_loss(one) for one in kernels])
    )


def _is_kernel(variable: Any) -> bool:
    name = variable.name.rpartition("/")[2].partition(":")[0]
    return name in _KERNELS
