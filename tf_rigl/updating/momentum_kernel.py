"""SGD with momentum by TensorFlow's fused kernel.

Keras computes this step with five or six operations, each of which passes over
all elements. The kernel makes two passes, with the same products and sums in
the same order, so that the result is bitwise the same. On a CPU it saves twice
the time that masking the gradient takes.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking.masked_weight import MaskedWeight

# The most elements that a weight may have. For larger weights the rest of the
# step dominates, and the backward loop of a GRU with 512 units became a tenth
# slower when its weights and momenta were updated in place.
_LARGEST = 2**19


def applies(
    flavor: Flavor,
    optimizer: Any,
    update_step: Callable[..., Any],
    record: MaskedWeight,
) -> bool:
    """Returns whether the kernel is faster and equals the optimizer's step.

    `update_step` is the optimizer's own method, before it was overridden.
    """
    sgd = flavor.keras.optimizers.SGD
    return (
        type(optimizer) is sgd
        # The user may have overridden the method on the instance.
        and getattr(update_step, "__func__", None) is sgd.update_step
        and bool(optimizer.momentums)
        and _num_elements(record) <= _LARGEST
        and record.dtype in (tf.float32, tf.float64)
        # Each replica has a variable of its own, of another class.
        and not tf.distribute.has_strategy()
        # Other devices may fuse a product and a sum and so round once.
        and tf.DeviceSpec.from_string(record.storage.device).device_type
        == "CPU"
    )


def _num_elements(record: MaskedWeight) -> int:
    """Returns how many elements the weight's variable has."""
    if record.storage.is_compressed:
        return record.num_active()
    return record.size


def apply(
    flavor: Flavor,
    optimizer: Any,
    record: MaskedWeight,
    gradient: tf.Tensor,
    learning_rate: Any,
) -> None:
    """Takes the optimizer's step for one weight, given its masked gradient."""
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
