"""One-shot pruning from dense to sparse in a single step."""

import dataclasses
from collections.abc import Sequence

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.core.schedules import UpdateSchedule


@dataclasses.dataclass(frozen=True)
class OneShot(algorithm.Algorithm):
    """Prunes a dense model to its target after one training step.

    Training must begin dense: `sparsify(..., start="dense")`. After the weight
    update of step `step`, all connections except those of largest magnitude are
    removed; the remaining steps fine-tune. To prune before training, or without
    training, call `tf_rigl.prune`.

    Attributes:
        step: the optimizer step that prunes, from 0; by default after three
            quarters of the steps that `fit` announces.
        criterion: `"magnitude"`; `"normalized_magnitude"`, relative to each
            weight's norm, for `scope="global"`; or `"random"`.
        scope: `"weight"` prunes each weight to the number of connections that
            `sparsify` allotted to it; `"global"` ranks all weights against one
            threshold with the same total.
        seed: seed of random pruning.

    Errors are those of `Algorithm`.

    Reference: Han et al., "Learning both Weights and Connections for
    Efficient Neural Networks", NeurIPS 2015, arXiv:1506.02626, section 3,
    with a count for each weight instead of a threshold.
    """

    name = "one_shot"

    step: int | None = None
    criterion: str = "magnitude"
    scope: str = "weight"
    seed: int = 0

    def __post_init__(self) -> None:
        pruning.check_arguments(self.criterion, self.scope)
        _ = self.mask_schedule

    @property
    def requirements(self) -> Requirements:
        """Starts dense, and is dense until `step`."""
        return pruning.requirements(self.scope, prunes_during_training=True)

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates once, at `step`."""
        return MaskSchedule(
            _only_at, self.step, argument="step", updates_at_stop=True
        )

    def pruned_fraction(self, total_steps: int) -> float:
        """Returns `pruning.pruned_fraction` for `total_steps` of training."""
        return pruning.pruned_fraction(
            self.mask_schedule.close(), total_steps, float
        )

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Prunes to the target."""
        scores = pruning.scores(self.criterion, weights, self.seed, when)
        return pruning.keep_largest(weights, scores, scope=self.scope)


def _only_at(step: int) -> UpdateSchedule:
    return UpdateSchedule(step, step + 1, 1)
