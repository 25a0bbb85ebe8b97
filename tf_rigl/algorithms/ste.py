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
    """Straight-through estimator: masks follow dense weights.

    Begins with a dense model, `sparsify(..., start="dense")`, and prunes it
    before the first batch. The forward pass is sparse; the gradient with
    respect to the masked weight is applied to all positions, inactive ones
    included, which keep a value of their own. After the steps 0,
    update_interval, 2 · update_interval, ... the mask is chosen anew, by
    magnitude from all values.

    The model's weights are masked at any time. The inactive values take as
    many bytes as the weight and go when the model is stripped. Decoupled
    weight decay acts on active values only.

    Attributes:
        update_interval: optimizer steps between two choices of the masks.
        criterion: `"magnitude"`; `"normalized_magnitude"`, in units of each
            weight's own norm, for `scope="global"`; or `"random"`.
        scope: `"weight"`, each weight by itself to what `sparsify` allotted
            to it; or `"global"`, all weights against one threshold.
        seed: of random masks.

    Errors are those of `Algorithm`.

    Reference: Bengio et al., "Estimating or Propagating Gradients Through
    Stochastic Neurons for Conditional Computation", arXiv:1308.3432; as
    `ste_magnitude` and `ste_random` of jaxpruner, Lee et al.,
    arXiv:2304.14082.
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
        """Trains all values, active or not."""
        return pruning.requirements(
            self.scope, dense_gradient_steps="all", latent=INACTIVE_VALUES
        )

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates from the first step to the end."""
        return MaskSchedule.regular(self.update_interval)

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Chooses the masks anew."""
        scores = pruning.scores(self.criterion, weights, self.seed, when)
        return pruning.keep_largest(
            weights, scores, scope=self.scope, allow_regrowth=True
        )
