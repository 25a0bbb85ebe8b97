"""GraNet: gradual pruning that regrows as many connections as it drops."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.gradual_pruning import GradualPruning
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import DropSchedule
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.core import checks
from tf_rigl.core import drop_and_grow
from tf_rigl.core.schedules import DropFraction
from tf_rigl.core.schedules import UpdateSchedule


@dataclasses.dataclass(frozen=True)
class GraNet(algorithm.Algorithm):
    """Gradual pruning with zero-cost neuroregeneration.

    Training must begin dense: `sparsify(..., start="dense")`. Each mask update
    follows the batch's weight update and has two parts. First it prunes to the
    sparsity that `GradualPruning` would have, until a share `pruning_share` of
    the updates is over. Then each weight drops those K of its nnz connections
    of smallest magnitude, K = floor(f(t) · nnz), and grows K where the dense
    gradient of the same batch is largest, with value 0. One that was just
    dropped may grow again and then keeps its value.

    The published code drops ceil(f(t) · nnz), decays f to 0.005 at the end of
    training, and can begin with random masks of half of the weights; here f
    decays to 0 at `stop_step`, and the first update prunes to
    `initial_sparsity` by magnitude.

    Attributes:
        stop_step, update_interval, start_step, decay: as in `RigL`, but that
            `stop_step` must have an end.
        drop_fraction: f(0), the share of the connections that regrows, in
            [0, 1]; the paper's r is 0.5.
        initial_sparsity: s_i, the sparsity after the first update, in [0, 1);
            the final one if that is lower.
        pruning_share: share of the steps from `start_step` to `stop_step` in
            which it prunes, in [0, 1]. With the default `stop_step`, 2/3 is
            half of the training, as the paper has it for CIFAR.
        scope: `"global"` ranks all weights against one threshold, as in the
            paper, and only the total number of connections is given;
            `"weight"` prunes each to what `sparsify` allotted.

    Errors are those of `Algorithm`.

    Reference: Liu et al., "Sparse Training via Boosting Pruning Plasticity with
    Neuroregeneration", NeurIPS 2021, arXiv:2106.10404, algorithm 1 and
    equation 2; VITA-Group/GraNet.
    """

    name = "granet"

    stop_step: int | None = None
    update_interval: int = 100
    drop_fraction: float = 0.5
    start_step: int = 0
    decay: str | DropFraction = "cosine"
    initial_sparsity: float = 0.0
    pruning_share: float = 2 / 3
    scope: str = "global"

    def __post_init__(self) -> None:
        if self.stop_step == "never":
            raise ValueError(
                "Pruning must end. Received: stop_step='never'. Pass a number "
                "of optimizer steps, or None for three quarters of the steps."
            )
        pruning.check_arguments("magnitude", self.scope)
        checks.check_sparsity(self.initial_sparsity, "initial_sparsity")
        checks.check_fraction(
            "pruning_share", self.pruning_share, "a share of the steps"
        )
        _ = self.drop_schedule

    @property
    def requirements(self) -> Requirements:
        """Starts dense; uses the dense gradient of the updates."""
        return pruning.requirements(
            self.scope, prunes_during_training=True, dense_gradient_steps=1
        )

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates every `update_interval` steps from `start_step` on."""
        return MaskSchedule.regular(
            self.update_interval, self.stop_step, self.start_step
        )

    @functools.cached_property
    def drop_schedule(self) -> DropSchedule:
        """Fraction of connections that each update regrows."""
        return DropSchedule(self.mask_schedule, self.drop_fraction, self.decay)

    def _pruning(self, schedule: UpdateSchedule) -> GradualPruning:
        """Returns the method that prunes in the first part of the updates."""
        span = schedule.stop_step - schedule.start_step
        share = round(self.pruning_share * span, 6)  # 0.29 · 100 is below 29
        last = int(share) // self.update_interval
        # Where the stop is itself an update of the interval, it is not one.
        last = min(last, max(schedule.num_updates - 1, 0))
        return GradualPruning(
            self.start_step + last * self.update_interval,
            self.update_interval,
            self.start_step,
            self.initial_sparsity,
        )

    def connections(self, size: int, target: int) -> np.ndarray:
        """Returns the number of connections after each update, int64 [updates].

        Args:
            size: number of elements of the weight.
            target: number of connections in the end.
        """
        schedule = self.mask_schedule.close(type(self).__name__)
        counts = self._pruning(schedule).connections(size, target)
        rest = schedule.num_updates - len(counts)
        return np.append(counts, np.full(max(rest, 0), target))

    def pruned_fraction(self, total_steps: int) -> float:
        """Returns `pruning.pruned_fraction` for `total_steps` of training."""
        schedule = self.mask_schedule.close(type(self).__name__)
        return self._pruning(schedule).pruned_fraction(total_steps)

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Prunes to the sparsity of the update, then drops and grows."""
        counts = []
        for weight in weights:
            size = weight.mask.shape.num_elements()
            table = tf.constant(self.connections(size, weight.target))
            counts.append(tf.gather(table, tf.maximum(when.update, 0)))
        pruned = pruning.keep_largest(weights, counts=counts, scope=self.scope)
        return [
            self._regrow(weight, one.masks.mask, when)
            for weight, one in zip(weights, pruned, strict=True)
        ]

    def _regrow(
        self,
        weight: algorithm.WeightView,
        mask: tf.Tensor,
        when: algorithm.StepInfo,
    ) -> algorithm.WeightUpdate:
        count = self.drop_schedule.count(mask, when.update)
        new = weight.structure.drop_and_grow(
            weight.values, mask, weight.gradient, count
        )
        return algorithm.WeightUpdate(
            drop_and_grow.changed(weight.mask, new.mask)
        )
