"""Static sparse training: the random mask of the first step stays."""

import dataclasses
from collections.abc import Sequence

from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.algorithms.algorithm import Weight
from tf_rigl.algorithms.algorithm import WeightUpdate
from tf_rigl.algorithms.algorithm import When
from tf_rigl.core.schedules import UpdateSchedule


@dataclasses.dataclass(frozen=True)
class Static(Algorithm):
    """Trains the connections that are there and never moves one.

    The baseline "Static" of Evci et al., arXiv:1911.11134, section 4, when
    `sparsify` drew the masks at random; fine-tuning after `prune`.
    """

    name = "static"
    start = "any"

    @property
    def schedule(self) -> UpdateSchedule | None:
        """Masks are never updated."""
        return None

    def update(
        self, weights: Sequence[Weight], when: When
    ) -> list[WeightUpdate]:
        """Never called."""
        raise NotImplementedError
