"""SGD with momentum by TensorFlow's own kernel, where the numbers are the same.

Keras takes this step in five operations or six, and each of them goes through
all elements. The kernel goes through them twice, with the same products and
sums in the same order, so that every bit is the same. What it saves on a
processor is twice what masking the gradient costs there.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking.masked_weight import MaskedWeight

# Elements. A step with larger weights takes so long that nothing is saved, and
# the backward loop of a GRU of 512 units took a tenth longer where all of its
# weights and momenta stayed where they are in memory.
_LARGEST = 2**19


def applies(
    flavor: Flavor,
    optimizer: Any,
    update_step: Callable[..., Any],
    record: MaskedWeight,
) -> bool:
    """Returns whether the kernel computes what the optimizer would, faster.

    `update_step` is the update rule of the optimizer, as it was.
    """
    sgd = flavor.keras.optimizers.SGD
    return (
        type(optimizer) is sgd
        # Not one that the user has put on the instance.
        and getattr(update_step, "__func__", None) is sgd.update_step
        and bool(optimizer.momentums)
        and record.size <= _LARGEST
        and record.dtype in (tf.float32, tf.float64)
        # Each replica has a variable of its own, of another kind.
        and not tf.distribute.has_strategy()
        # Other devices may round a product and a sum together.
        and tf.DeviceSpec.from_string(record.storage.device).device_type
        == "CPU"
    )


def apply(
    flavor: Flavor,
    optimizer: Any,
    record: MaskedWeight,
    gradient: tf.Tensor,
    learning_rate: Any,
) -> None:
    """Takes the step of one weight, to whose optimizer the kernel applies.

    The gradient has zeros where the weight is masked.
    """
    slot = optimizer.momentums[
        flavor.variable_index(optimizer, record.variable)
    ]
    dtype = record.dtype
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=record.storage.variable.handle,
        accum=flavor.raw(slot).handle,
        lr=tf.cast(learning_rate, dtype),
        grad=tf.cast(gradient, dtype),
        momentum=tf.cast(optimizer.momentum, dtype),
        use_nesterov=optimizer.nesterov,
    )
