"""SET: drop the weakest connections, grow others at random."""

import dataclasses
import functools
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms import algorithm
from tf_rigl.algorithms import soft_bound
from tf_rigl.algorithms.connections import ConnectionsUpdate
from tf_rigl.algorithms.connections import ConnectionsView
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.algorithms.schedule import DropSchedule
from tf_rigl.algorithms.schedule import StopStep
from tf_rigl.core import connections
from tf_rigl.core import random_masks
from tf_rigl.core.schedules import DropFraction


@dataclasses.dataclass(frozen=True)
class SET(soft_bound.SoftlyBounded, algorithm.Algorithm):
    """Sparse evolutionary training.

    At each mask update, after the batch's weight update, a weight drops those K
    connections of smallest magnitude, K = floor(f(t) · nnz), and grows K others
    at random positions, with value 0.

    The paper updates once per epoch with a constant fraction ζ = 0.3
    (`update_interval=steps_per_epoch, decay="constant"`) and drops the fraction
    ζ of the smallest positive and of the largest negative weights. The defaults
    here, dropping by magnitude with a cosine decay, follow the comparison with
    RigL in Evci et al. (arXiv:1911.11134, section 4). As there, a connection
    that was just dropped may be drawn again and then keeps its value.

    Attributes:
        stop_step, update_interval, drop_fraction, start_step, decay: as in
            `RigL`; ζ is `drop_fraction`.
        seed: seed of the random growth.
        drop_delay: as in `RigL`; with random growth it is MEST's elastic
            mutation.

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
        soft_bound.check_delay(self.drop_delay)
        _ = self.drop_schedule

    @property
    def requirements(self) -> Requirements:
        """Needs no gradient; a delayed drop needs unstructured masks."""
        return Requirements(
            structures=("unstructured",) if self.drop_delay else None,
            needs_dense=bool(self.drop_delay),
        )

    @functools.cached_property
    def drop_schedule(self) -> DropSchedule:
        """Fraction of connections that each update moves."""
        return DropSchedule(self.mask_schedule, self.drop_fraction, self.decay)

    def update(
        self, weights: Sequence[algorithm.WeightView], when: algorithm.StepInfo
    ) -> list[algorithm.WeightUpdate]:
        """Drops by magnitude and grows at random."""
        results = []
        for weight in weights:
            seed = random_masks.stateless_seed(self.seed, weight.key, when.step)
            masks, state = soft_bound.move(
                weight,
                weight.values,
                random_masks.random_scores(weight.values.shape, seed),
                self.drop_schedule.count(weight.mask, when.update),
                when,
            )
            results.append(algorithm.WeightUpdate(masks, state=state))
        return results

    def update_connections(
        self, weight: ConnectionsView, when: algorithm.StepInfo
    ) -> ConnectionsUpdate:
        """Drops by magnitude and grows at the same positions as `update`."""
        nonzeros = weight.values.shape[0]
        seed = random_masks.stateless_seed(self.seed, weight.key, when.step)
        scores, candidates, candidate_scores = connections.random_candidates(
            weight.size,
            weight.positions,
            seed,
            min(self.drop_schedule.most(nonzeros), weight.size),
        )
        count = self.drop_schedule.count_of(
            tf.constant(nonzeros, tf.int64), when.update
        )
        return ConnectionsUpdate(scores, candidates, candidate_scores, count)
