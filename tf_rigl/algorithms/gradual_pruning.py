"""Gradual pruning from dense to sparse along a polynomial."""

import dataclasses
import functools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.core import checks
from tf_rigl.core import decimals
from tf_rigl.core.schedules import UpdateSchedule

# Error bound of float64 counts, relative to the size of the weight.
_PRECISION = 2**-48


@dataclasses.dataclass(frozen=True)
class GradualPruning(algorithm.Algorithm):
    """Gradual magnitude pruning (GMP) with a cubic schedule.

    Training must begin dense: `sparsify(..., start="dense")`. At the updates
    t = start_step, start_step + update_interval, ... up to and including
    stop_step, after the batch's weight update, the connections of smallest
    magnitude are removed, so that the sparsity of each weight becomes

        s_t = s_f + (s_i - s_f) · (1 - (t - t_0) / (t_n - t_0))^power

    where s_f is the sparsity that `sparsify` allotted to it. The number of
    connections is round(n · (1 - s_t)), at least 1. Pruned connections never
    become active again.

    Attributes:
        stop_step: t_n, the last step that may prune, in optimizer steps; by
            default three quarters of the steps that `fit` announces.
        update_interval: ΔT, optimizer steps between two updates.
        start_step: t_0, the first step that prunes, in optimizer steps.
        initial_sparsity: s_i, the sparsity after the first update, in [0, 1);
            s_f if that is lower.
        power: exponent of the polynomial; 3 in the paper.
        criterion: `"magnitude"`; `"normalized_magnitude"`, relative to each
            weight's norm, for `scope="global"`; or `"random"`.
        scope: `"weight"` ranks each weight separately; `"global"` ranks all
            weights against one threshold with the same total.
        reach_target: whether the last update prunes to s_f even if the interval
            does not divide t_n - t_0.
        seed: seed of random pruning.

    Errors are those of `Algorithm`.

    Reference: Zhu and Gupta, "To prune, or not to prune: exploring the
    efficacy of pruning for model compression", arXiv:1710.01878, equation 1.
    """

    name = "pruning"

    stop_step: int | None = None
    update_interval: int = 100
    start_step: int = 0
    initial_sparsity: float = 0.0
    power: float = 3.0
    criterion: str = "magnitude"
    scope: str = "weight"
    reach_target: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        pruning.check_arguments(self.criterion, self.scope)
        checks.check_sparsity(self.initial_sparsity, "initial_sparsity")
        checks.check_above_zero("power", self.power)
        _ = self.mask_schedule

    @property
    def requirements(self) -> Requirements:
        """Starts dense."""
        return pruning.requirements(self.scope, prunes_during_training=True)

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates at `start_step`, at `stop_step` and in between."""
        until = functools.partial(
            UpdateSchedule,
            self.start_step,
            interval=self.update_interval,
            include_stop=True,
        )
        return MaskSchedule(
            until, self.stop_step, self.start_step, updates_at_stop=True
        )

    def connections(self, size: int, target: int) -> np.ndarray:
        """Returns the number of connections after each update, int64 [updates].

        Args:
            size: number of elements of the weight.
            target: number of connections after the last update.
        """
        schedule = self.mask_schedule.close(type(self).__name__)
        first = max(
            size * (1 - decimals.as_written(self.initial_sparsity)),
            Fraction(target),
        )
        span = max(schedule.stop_step - schedule.start_step, 1)
        updates = np.arange(schedule.num_updates)
        left = schedule.stop_step - schedule.time_of_update(updates)

        # n · (1 - s_t), recomputed in rational numbers if it may be a tie.
        real = target + float(first - target) * (left / span) ** self.power
        counts = np.round(real).astype(np.int64)
        for i in np.flatnonzero(np.abs(real % 1 - 0.5) <= size * _PRECISION):
            share = Fraction(int(left[i]), span) ** Fraction(self.power)
            counts[i] = round(target + (first - target) * share)

        counts = np.maximum(counts, 1)
        if len(counts) and self.reach_target:
            counts[-1] = target
        return counts

    def pruned_fraction(self, total_steps: int) -> float:
        """Returns `pruning.pruned_fraction` for `total_steps` of training."""
        # Uses a size so large that rounding is negligible.
        left = np.append(2**40, self.connections(2**40, 1)) / 2**40
        return pruning.pruned_fraction(
            self.mask_schedule.close(),
            total_steps,
            lambda updates: 1 - left[updates],
        )

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Prunes to the sparsity of the current update."""
        counts = []
        for weight in weights:
            table = self.connections(
                weight.mask.shape.num_elements(), weight.target
            )
            counts.append(
                tf.gather(tf.constant(table), tf.maximum(when.update, 0))
            )

        scores = pruning.scores(self.criterion, weights, self.seed, when)
        return pruning.keep_largest(weights, scores, counts, self.scope)
