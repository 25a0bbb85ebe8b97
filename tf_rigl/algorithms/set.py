"""SET: drop the weakest connections, grow others at random."""

import dataclasses
import functools
from collections.abc import Mapping
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import soft_bound
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import DropSchedule
from tf_rigl.algorithms.schedule import MaskSchedule
from tf_rigl.algorithms.schedule import StopStep
from tf_rigl.core.checks import check_at_least
from tf_rigl.core.random_masks import random_scores
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.core.schedules import DropFraction
from tf_rigl.core.schedules import UpdateSchedule


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
        drop_delay: as in `RigL`; MEST's elastic mutation is random growth
            with it.

    Errors are those of `Algorithm`.

    Reference: Mocanu et al., "Scalable training of artificial neural networks
    with adaptive sparse connectivity inspired by network science", Nature
    Communications 9, 2018, algorithm 1.
    """

    name = "set"

    stop_step: StopStep = None
    update_interval: int = 100
    drop_fraction: float = 0.3
    start_step: int = 0
    decay: str | DropFraction = "cosine"
    seed: int = 0
    drop_delay: int = 0

    def __post_init__(self) -> None:
        check_at_least("drop_delay", self.drop_delay, 0, unit=" steps")
        _ = self.drop_schedule

    @property
    def requirements(self) -> Requirements:
        """Looks at nothing; positions compete one by one if drops come late."""
        return Requirements(
            structures=("unstructured",) if self.drop_delay else None
        )

    @property
    def mask_schedule(self) -> MaskSchedule:
        """Updates every `update_interval` steps from `start_step` on."""
        return MaskSchedule(
            self._schedule_until, self.stop_step, self.start_step
        )

    def _schedule_until(self, stop_step: int) -> UpdateSchedule:
        return soft_bound.delayed(
            UpdateSchedule(self.start_step, stop_step, self.update_interval),
            self.drop_delay,
        )

    @property
    def state(self) -> Mapping[str, tf.DType | None]:
        """Connections that a delayed drop must undo."""
        return soft_bound.STATE if self.drop_delay else {}

    @functools.cached_property
    def drop_schedule(self) -> DropSchedule:
        """Fraction that each update moves."""
        return DropSchedule(self.mask_schedule, self.drop_fraction, self.decay)

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Drops by magnitude, grows at random."""
        results = []
        for weight in weights:
            seed = stateless_seed(self.seed, weight.key, when.step)
            masks, state = soft_bound.move(
                weight,
                weight.values,
                random_scores(weight.values.shape, seed),
                self.drop_schedule.count(weight.mask, when.update),
                when,
            )
            results.append(algorithm.WeightUpdate(masks, state=state))
        return results
