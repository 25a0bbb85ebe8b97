"""SET: drop the weakest connections, grow others at random."""

import dataclasses
import functools
from collections.abc import Sequence

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms.schedule import DropSchedule
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.core.random_masks import random_scores
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.core.schedules import DropFraction


@dataclasses.dataclass(frozen=True)
class SET(algorithm.Algorithm):
    """Sparse evolutionary training.

    At each mask update a weight drops the K = floor(f(t) · nnz) connections
    of smallest magnitude and grows K others, drawn at random, at 0. The
    batch's weight update comes first.

    The paper updates once per epoch with a constant fraction ζ = 0.3
    (`update_interval=steps_per_epoch, decay="constant"`) and drops the
    smallest positive and the largest negative weights, ζ of each; by
    magnitude and with a cosine decay, the default here, is how Evci et al.
    (arXiv:1911.11134, section 4) compare it with RigL. As there, a connection
    that was just dropped may be drawn again and then keeps its value.

    Attributes:
        stop_step, update_interval, drop_fraction, start_step, decay: as in
            `RigL`; ζ is `drop_fraction`.
        seed: of the random growth.

    Errors are those of `Algorithm`.

    Reference: Mocanu et al., "Scalable training of artificial neural networks
    with adaptive sparse connectivity inspired by network science", Nature
    Communications 9, 2018, algorithm 1.
    """

    name = "set"

    stop_step: int | None = None
    update_interval: int = 100
    drop_fraction: float = 0.3
    start_step: int = 0
    decay: str | DropFraction = "cosine"
    seed: int = 0

    def __post_init__(self) -> None:
        _ = self.drop_schedule

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates every `update_interval` steps from `start_step` on."""
        return MaskSchedule.regular(
            self.update_interval, self.stop_step, self.start_step
        )

    @functools.cached_property
    def drop_schedule(self) -> DropSchedule:
        """Fraction that each update moves."""
        return DropSchedule(self.mask_schedule, self.drop_fraction, self.decay)

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Drops by magnitude, grows at random."""
        return [
            algorithm.WeightUpdate(
                weight.structure.drop_and_grow(
                    weight.values,
                    weight.mask,
                    random_scores(
                        weight.values.shape,
                        stateless_seed(self.seed, weight.key, when.step),
                    ),
                    self.drop_schedule.count(weight.mask, when.update),
                )
            )
            for weight in weights
        ]
