"""The soft memory bound: updates grow first and drop some steps later.

In between, a weight has more connections than allotted, so new connections are
trained before they compete. From Yuan et al., "MEST: Accurate and Fast
Memory-Economic Sparse Training Framework on the Edge", NeurIPS 2021,
arXiv:2110.14032, section 3.2.
"""

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.algorithms.schedule import StopStep
from tf_rigl.core import checks
from tf_rigl.core import drop_and_grow
from tf_rigl.core import selection
from tf_rigl.core.schedules import PairedSchedule
from tf_rigl.core.schedules import UpdateSchedule

# State of a method: the connections grown but not yet balanced by a drop.
STATE: Mapping[str, tf.DType | None] = {"surplus": tf.bool}


def check_delay(delay: int) -> None:
    """Raises an error unless `drop_delay` is a number of steps."""
    checks.check_integer("drop_delay", delay, "a number of optimizer steps")
    checks.check_at_least("drop_delay", delay, 0, unit=" steps")


def delayed(schedule: UpdateSchedule, delay: int) -> UpdateSchedule:
    """Returns a schedule that drops `delay` steps later than it grows.

    Raises:
        ValueError: if the delay is not less than the interval, or mask updates
            do not advance the step.
    """
    if not delay:
        return schedule
    return PairedSchedule(**dataclasses.asdict(schedule), delay=delay)


class SoftlyBounded:
    """Mixin of methods with regular updates whose drop may be delayed."""

    # Fields of the methods, which are dataclasses.
    stop_step: StopStep
    update_interval: int
    start_step: int
    drop_delay: int

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates every `update_interval` steps from `start_step` on."""
        return MaskSchedule(
            self._schedule_until, self.stop_step, self.start_step
        )

    def _schedule_until(self, stop_step: int) -> UpdateSchedule:
        return delayed(
            UpdateSchedule(self.start_step, stop_step, self.update_interval),
            self.drop_delay,
        )

    @property
    def state(self) -> Mapping[str, tf.DType | None]:
        """Surplus connections that a delayed drop must remove."""
        return STATE if self.drop_delay else {}


def move(
    weight: algorithm.WeightView,
    drop_scores: tf.Tensor,
    grow_scores: tf.Tensor,
    count: tf.Tensor,
    when: algorithm.StepInfo,
) -> tuple[drop_and_grow.MaskUpdate, dict[str, tf.Tensor]]:
    """Drops and grows in one update or, under a soft bound, in two.

    Under a soft bound even updates grow, and odd updates drop as many.

    Args:
        weight: the weight, whose state contains `STATE` under a soft bound.
        drop_scores: float tensor compared by magnitude; the smallest are
            dropped.
        grow_scores: float tensor compared by magnitude; the largest are grown.
        count: number of connections to grow, integer scalar.
        when: its update index tells the first part from the second.

    Returns:
        Tuple of the mask update and the new state.
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

    # A non-finite gradient leaves the mask as it is, hence also its surplus.
    finite = tf.reduce_all(tf.math.is_finite(weight.gradient))
    masks = drop_and_grow.changed(
        weight.mask, tf.where(finite, mask, weight.mask)
    )
    return masks, {"surplus": tf.where(finite, new_surplus, surplus)}
