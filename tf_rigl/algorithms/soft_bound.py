"""The soft memory bound: a mask update grows first and drops steps later.

In between, the weight holds more connections than it was allotted, and what
has grown is trained before it is compared. From Yuan et al., "MEST: Accurate
and Fast Memory-Economic Sparse Training Framework on the Edge", NeurIPS 2021,
arXiv:2110.14032, section 3.2.
"""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

from tf_rigl.algorithms.algorithm import StepInfo
from tf_rigl.algorithms.algorithm import WeightView
from tf_rigl.core import drop_and_grow
from tf_rigl.core import selection
from tf_rigl.core.schedules import PairedSchedule
from tf_rigl.core.schedules import UpdateSchedule

# The connections beyond what the weight had, a tensor of the method's state.
STATE: Mapping[str, tf.DType | None] = {"surplus": tf.bool}


def delayed(schedule: UpdateSchedule, delay: int) -> UpdateSchedule:
    """Returns a schedule that drops `delay` steps later than it grows.

    Raises:
        ValueError: if the delay is as long as the interval, or mask updates
            do not advance the step.
    """
    if not delay:
        return schedule
    return PairedSchedule(**dataclasses.asdict(schedule), delay=delay)


def move(
    weight: WeightView,
    drop_scores: tf.Tensor,
    grow_scores: tf.Tensor,
    count: tf.Tensor,
    when: StepInfo,
) -> tuple[drop_and_grow.MaskUpdate, dict[str, tf.Tensor]]:
    """Drops and grows at once; under a soft bound, in two updates.

    Even updates grow then, odd ones drop as many.

    Args:
        weight: the weight, under a soft bound with `STATE`.
        drop_scores: float tensor, compared by magnitude; the smallest go.
        grow_scores: float tensor, compared by magnitude; the largest come.
        count: connections to grow, an integer scalar.
        when: whether this is the first part of an update or the second.

    Returns:
        The update, and the new state.
    """
    surplus = weight.state.get("surplus")
    if surplus is None:
        masks = weight.structure.drop_and_grow(
            drop_scores, weight.mask, grow_scores, count
        )
        return masks, {}

    def first() -> tuple[tf.Tensor, tf.Tensor]:
        masks = drop_and_grow.grow(weight.mask, grow_scores, count)
        return masks.mask, surplus | masks.grown

    def second() -> tuple[tf.Tensor, tf.Tensor]:
        extra = selection.count_true(surplus)
        masks = drop_and_grow.drop(drop_scores, weight.mask, extra)
        return masks.mask, tf.zeros_like(surplus)

    mask, new_surplus = tf.cond(tf.equal(when.update % 2, 0), first, second)

    # A gradient that is not finite leaves the mask, and so its surplus.
    finite = tf.reduce_all(tf.math.is_finite(weight.gradient))
    masks = drop_and_grow.changed(
        weight.mask, tf.where(finite, mask, weight.mask)
    )
    return masks, {"surplus": tf.where(finite, new_surplus, surplus)}
