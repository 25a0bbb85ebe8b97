"""AC/DC: alternating sparse and dense phases of training."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.core.checks import check_choice
from tf_rigl.core.drop_and_grow import changed
from tf_rigl.core.schedules import UpdateSchedule

# Number of phases before the masks are final, and how many of them are the
# dense warm-up: the paper's ImageNet experiments, with phases of 5 epochs.
_PHASES = 15
_WARM_UP_PHASES = 2


@dataclasses.dataclass(frozen=True)
class ACDC(algorithm.Algorithm):
    """Alternating compressed / decompressed training.

    Training must begin dense: `sparsify(..., start="dense")`. Phases alternate
    at the updates t = start_step, start_step + update_interval, ... up to and
    including stop_step, after the batch's weight update. A compressed phase
    first prunes to the connections of largest magnitude and trains only these.
    A decompressed phase first activates all connections, the pruned ones with
    value 0 and slots of 0, and trains all of them. Training ends compressed:
    the last update never decompresses. (The paper changes masks before a step,
    so its phases are one step earlier.)

    Attributes:
        stop_step: end of the alternation, in optimizer steps; by default three
            quarters of the steps that `fit` announces. The remaining steps
            fine-tune the sparse model.
        update_interval: length of a phase, in optimizer steps; by default one
            fifteenth of `stop_step`, the paper's 5 of 100 epochs.
        start_step: the step whose weight update ends the dense warm-up; by
            default two phases, the paper's 10 epochs. Without a warm-up the
            first masks depend on initial values, and the decompressed model can
            diverge (LeNet-300-100 on MNIST does at a learning rate of 0.2).
        scope: `"weight"` prunes each weight to the number of connections that
            `sparsify` allotted to it; `"global"` prunes all weights by one
            threshold.

    Errors are those of `Algorithm`.

    Reference: Peste et al., "AC/DC: Alternating Compressed/DeCompressed
    Training of Deep Neural Networks", NeurIPS 2021, arXiv:2106.12379,
    algorithm 1.
    """

    name = "ac_dc"

    stop_step: int | None = None
    update_interval: int | None = None
    start_step: int | None = None
    scope: str = "weight"

    def __post_init__(self) -> None:
        check_choice("scope", self.scope, pruning.SCOPES)
        _ = self.mask_schedule

    @property
    def requirements(self) -> Requirements:
        """Starts dense, and is dense in every other phase."""
        return pruning.requirements(self.scope, prunes_during_training=True)

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates at the beginning of each phase, both ends included."""
        return MaskSchedule(
            self._phases_until,
            self.stop_step,
            self.start_step or 0,
            updates_at_stop=True,
        )

    def _phases_until(self, stop_step: int) -> UpdateSchedule:
        interval, start = self.update_interval, self.start_step
        if interval is None:
            interval = max(1, stop_step // _PHASES)
        if start is None:
            start = min(_WARM_UP_PHASES * interval, stop_step)
        return UpdateSchedule(start, stop_step, interval, include_stop=True)

    def pruned_fraction(self, total_steps: int) -> float:
        """Returns `pruning.pruned_fraction` for `total_steps` of training."""
        return pruning.pruned_fraction(
            self.mask_schedule.close(), total_steps, self._is_compressed
        )

    def _is_compressed(self, updates: int) -> bool:
        """Returns whether masks are sparse after this number of updates."""
        last = self.mask_schedule.close().num_updates
        return updates % 2 == 1 or updates == last > 0

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Compresses or decompresses all weights."""
        compressed = pruning.keep_largest(weights, scope=self.scope)

        # The last update always compresses.
        decompresses = tf.equal(when.update % 2, 1) & (
            when.update < self.mask_schedule.close().num_updates - 1
        )
        return [
            algorithm.WeightUpdate(
                changed(weight.mask, decompresses | update.masks.mask)
            )
            for weight, update in zip(weights, compressed, strict=True)
        ]
