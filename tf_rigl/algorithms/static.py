"""Static sparse training, which never changes the initial mask."""

import dataclasses
from collections.abc import Sequence

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms.requirements import Requirements


@dataclasses.dataclass(frozen=True)
class Static(algorithm.Algorithm):
    """Trains the initial connections and never moves one.

    With masks drawn at random by `sparsify`, this is the baseline "Static" of
    Evci et al., arXiv:1911.11134, section 4; after `prune` it is fine-tuning.
    """

    name = "static"
    requirements = Requirements(start="any", needs_dense=False)
    mask_schedule = None

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Raises an error, because there is no schedule that would call it."""
        raise NotImplementedError
