"""DNW: discovering neural wirings."""

import dataclasses
from collections.abc import Sequence

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import pruning
from tf_rigl.algorithms.requirements import INACTIVE_VALUES
from tf_rigl.algorithms.schedule import MaskSchedule


@dataclasses.dataclass(frozen=True)
class DNW(algorithm.Algorithm):
    """Discovering neural wirings.

    Training must begin dense: `sparsify(..., start="dense")`; the model is
    pruned before the first batch. Each step applies the dense gradient to all
    positions, both real and hallucinated edges. Afterwards the edges of each
    weight are its positions of largest magnitude, as many as `sparsify`
    allotted to it.

    Equivalent to `STE()`, under the paper's name and without its options. The
    inactive values take as many bytes as the weight. Errors are those of
    `Algorithm`.

    Reference: Wortsman et al., "Discovering Neural Wirings", NeurIPS 2019,
    arXiv:1906.00586, algorithm 1 and section 2.3.
    """

    name = "dnw"
    # Hallucinated edges are trained as well.
    requirements = pruning.requirements(
        dense_gradient_steps="all", latent=INACTIVE_VALUES
    )
    mask_schedule = MaskSchedule.regular(1)

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Selects the edges again."""
        del when
        return pruning.keep_largest(weights, allow_regrowth=True)
