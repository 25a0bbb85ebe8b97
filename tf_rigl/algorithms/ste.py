"""STE: a sparse forward pass over weights that are all trained."""

import dataclasses
from collections.abc import Sequence

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.requirements import INACTIVE_VALUES
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import MaskSchedule


@dataclasses.dataclass(frozen=True)
class STE(algorithm.Algorithm):
    """Straight-through estimator, whose masks follow dense weights.

    Training must begin dense: `sparsify(..., start="dense")`; the model is
    pruned before the first batch. The forward pass is sparse. The gradient with
    respect to the masked weight is applied to all positions, including inactive
    ones, which keep values of their own. At step 0 and every `update_interval`
    steps after it, the mask is selected again by the magnitude of all values.

    The model's weights are always masked. The inactive values take as many
    bytes as the weight and are removed by `strip`. Decoupled weight decay acts
    on active values only.

    Attributes:
        update_interval: optimizer steps between two selections of the masks.
        criterion: `"magnitude"`; `"normalized_magnitude"`, relative to each
            weight's norm, for `scope="global"`; or `"random"`.
        scope: `"weight"` prunes each weight to the number of connections that
            `sparsify` allotted to it; `"global"` ranks all weights against one
            threshold.
        seed: seed of random masks.

    Errors are those of `Algorithm`.

    Reference: Bengio et al., "Estimating or Propagating Gradients Through
    Stochastic Neurons for Conditional Computation", arXiv:1308.3432;
    `ste_magnitude` and `ste_random` of Lee et al., arXiv:2304.14082.
    """

    name = "ste"

    update_interval: int = 1
    criterion: str = "magnitude"
    scope: str = "weight"
    seed: int = 0

    def __post_init__(self) -> None:
        pruning.check_arguments(self.criterion, self.scope)
        _ = self.mask_schedule

    @property
    def requirements(self) -> Requirements:
        """Trains the values of all positions, active or not."""
        return pruning.requirements(
            self.scope, dense_gradient_steps="all", latent=INACTIVE_VALUES
        )

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates from the first step to the last."""
        return MaskSchedule.regular(self.update_interval)

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Selects the masks again."""
        scores = pruning.scores(self.criterion, weights, self.seed, when)
        return pruning.keep_largest(
            weights, scores, scope=self.scope, allow_regrowth=True
        )
