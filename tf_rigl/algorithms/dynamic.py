"""What methods that drop and grow connections have in common."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms.algorithm import Weight
from tf_rigl.algorithms.algorithm import When
from tf_rigl.algorithms.scheduled import Scheduled
from tf_rigl.algorithms.scheduled import check_fraction
from tf_rigl.core import schedules
from tf_rigl.core import selection
from tf_rigl.core.checks import check_choice


@dataclasses.dataclass(frozen=True)
class Dynamic(Scheduled):
    """The schedule of updates and of how much each of them moves.

    Attributes:
        stop_step: end of the mask updates, in optimizer steps; by default
            three quarters of the steps that `fit` announces.
        update_interval: ΔT, optimizer steps between two updates.
        drop_fraction: α, fraction of a weight's connections that the first
            update moves, in [0, 1].
        start_step: first step that may update, in optimizer steps.
        decay: `"cosine"`, `"constant"`, `"linear"`, `"inverse_power"` (k = 3)
            or a function of (α, t / stop_step).
    """

    stop_step: int | None = None
    update_interval: int = 100
    drop_fraction: float = 0.3
    start_step: int = 0
    decay: str | schedules.DropFraction = "cosine"

    def __post_init__(self) -> None:
        check_fraction(
            "drop_fraction",
            self.drop_fraction,
            "the fraction of connections that an update moves",
        )
        if not callable(self.decay):
            check_choice("decay", self.decay, schedules.DECAYS)
        self._check_schedule()

    def _schedule_until(self, stop_step: int) -> schedules.UpdateSchedule:
        return schedules.UpdateSchedule(
            self.start_step, stop_step, self.update_interval
        )

    @functools.cached_property
    def _drop_fractions(self) -> np.ndarray:
        """One table for all weights of a model."""
        decay = self.decay
        return schedules.drop_fractions(
            self.schedule,
            self.drop_fraction,
            decay if callable(decay) else schedules.DECAYS[decay],
        )

    def _count(self, weight: Weight, when: When) -> tf.Tensor:
        """K = floor(f(t) · nnz), int64 scalar."""
        return schedules.drop_count(
            self._drop_fractions, when.update, selection.count_true(weight.mask)
        )
