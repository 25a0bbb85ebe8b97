"""MEST: drop by magnitude and gradient, grow at random."""

import dataclasses
import functools
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import soft_bound
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import DropSchedule
from tf_rigl.algorithms.schedule import StopStep
from tf_rigl.core import checks
from tf_rigl.core import random_masks
from tf_rigl.core.schedules import DropFraction


def halved(alpha: float, progress: float) -> float:
    """Returns α, and α / 2 in the last quarter of the updates, as in MEST."""
    return alpha if progress < 0.75 else alpha / 2


@dataclasses.dataclass(frozen=True)
class MEST(soft_bound.SoftlyBounded, algorithm.Algorithm):
    """Memory-economic sparse training with elastic mutation.

    At each mask update, after the batch's weight update, a weight drops those K
    connections for which |w| + λ |g| is smallest, K = floor(f(t) · nnz), and
    grows K others at random positions, with value 0. g is the gradient of the
    same batch, so no gradient outside the mask is ever needed.

    With `drop_delay`, the number of connections is a soft bound ("EM&S"): an
    update first grows, and drops as many so many steps later.

    The paper moves half of the connections once in 5 epochs, a quarter after 90
    of its 160 epochs and none after 120: with the default `stop_step` that is
    the default decay, `mest.halved`. A connection that was just dropped may be
    drawn again and then keeps its value.

    Attributes:
        stop_step, update_interval, start_step: as in `RigL`.
        drop_fraction: α, the fraction of a weight's connections that the first
            update moves, in [0, 1].
        decay: as in `RigL`, or None for that of the paper.
        gradient_share: λ, the share of the gradient in the score, at least 0.
        seed: seed of the random growth.
        drop_delay: optimizer steps by which an update drops later than it
            grows, less than the interval. Takes one byte per element; not
            supported with structured masks.

    Errors are those of `Algorithm`.

    Reference: Yuan et al., "MEST: Accurate and Fast Memory-Economic Sparse
    Training Framework on the Edge", NeurIPS 2021, arXiv:2110.14032, section 3;
    boone891214/MEST.
    """

    name = "mest"

    stop_step: StopStep = None
    update_interval: int = 100
    drop_fraction: float = 0.5
    start_step: int = 0
    decay: str | DropFraction | None = None
    gradient_share: float = 0.01
    seed: int = 0
    drop_delay: int = 0

    def __post_init__(self) -> None:
        checks.check_at_least("gradient_share", self.gradient_share, 0)
        soft_bound.check_delay(self.drop_delay)
        _ = self.drop_schedule

    @property
    def requirements(self) -> Requirements:
        """Needs no gradient outside masks; a delayed drop, no structure."""
        return Requirements(
            structures=("unstructured",) if self.drop_delay else None
        )

    @functools.cached_property
    def drop_schedule(self) -> DropSchedule:
        """Fraction of connections that each update moves."""
        return DropSchedule(
            self.mask_schedule, self.drop_fraction, self.decay or halved
        )

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Drops by magnitude and gradient and grows at random."""
        results = []
        for weight in weights:
            share = tf.cast(self.gradient_share, weight.values.dtype)
            gradient = tf.cast(weight.gradient, weight.values.dtype)
            seed = random_masks.stateless_seed(self.seed, weight.key, when.step)
            masks, state = soft_bound.move(
                weight,
                tf.abs(weight.values) + share * tf.abs(gradient),
                random_masks.random_scores(weight.values.shape, seed),
                self.drop_schedule.count(weight.mask, when.update),
                when,
            )
            results.append(algorithm.WeightUpdate(masks, state=state))
        return results
