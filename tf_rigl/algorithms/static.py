"""Static sparse training: the random mask of the first step stays."""

import dataclasses
from collections.abc import Sequence

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms.requirements import Requirements


@dataclasses.dataclass(frozen=True)
class Static(algorithm.Algorithm):
    """Trains the connections that are there and never moves one.

    The baseline "Static" of Evci et al., arXiv:1911.11134, section 4, when
    `sparsify` drew the masks at random; fine-tuning after `prune`.
    """

    name = "static"
    requirements = Requirements(start="any")
    mask_schedule = None

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Raises an error: it is never called."""
        raise NotImplementedError
