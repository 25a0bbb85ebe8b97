import tensorflow as tf

from tf_rigl.algorithms import StepInfo
from tf_rigl.algorithms import WeightView
from tf_rigl.core.structures import Unstructured


def make_weight(
    values,
    mask,
    gradient,
    target=None,
    structure=None,
    state=None,
    key="layer/kernel",
):
    mask = tf.convert_to_tensor(mask)
    return WeightView(
        key=key,
        target=mask.shape.num_elements() if target is None else target,
        structure=structure or Unstructured(),
        values=tf.convert_to_tensor(values),
        mask=mask,
        gradient=tf.convert_to_tensor(gradient),
        state=state or {},
    )


def make_when(update, step=None):
    update = tf.cast(update, tf.int64)
    step = update if step is None else tf.cast(step, tf.int64)
    return StepInfo(update, step, step)


def update_one(algorithm, values, mask, gradient, update, **kwargs):
    weight = make_weight(values, mask, gradient, **kwargs)
    (result,) = algorithm.update([weight], make_when(update))
    return result.masks
