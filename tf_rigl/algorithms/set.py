"""SET: drop the weakest connections, grow others at random."""

import dataclasses
from collections.abc import Sequence

from tf_rigl.algorithms.algorithm import Weight
from tf_rigl.algorithms.algorithm import WeightUpdate
from tf_rigl.algorithms.algorithm import When
from tf_rigl.algorithms.dynamic import Dynamic
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.core.random_scores import random_scores


@dataclasses.dataclass(frozen=True)
class SET(Dynamic):
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
        stop_step: end of the mask updates, in optimizer steps; by default
            three quarters of the steps that `fit` announces.
        update_interval: ΔT, optimizer steps between two updates.
        drop_fraction: ζ, fraction of a weight's connections that the first
            update moves, in [0, 1].
        start_step: first step that may update, in optimizer steps.
        decay: `"cosine"`, `"constant"`, `"linear"`, `"inverse_power"` (k = 3)
            or a function of (ζ, t / stop_step).
        seed: of the random growth.

    Raises:
        ValueError: for an argument out of its range, at construction.
        TypeError: for a number of steps that is no integer.

    Reference: Mocanu et al., "Scalable training of artificial neural networks
    with adaptive sparse connectivity inspired by network science", Nature
    Communications 9, 2018, algorithm 1.
    """

    name = "set"

    seed: int = 0

    def update(
        self, weights: Sequence[Weight], when: When
    ) -> list[WeightUpdate]:
        """Drops by magnitude, grows at random."""
        return [
            WeightUpdate(
                weight.structure.drop_and_grow(
                    weight.values,
                    weight.mask,
                    random_scores(
                        weight.values.shape,
                        stateless_seed(self.seed, weight.key, when.step),
                    ),
                    self._count(weight, when),
                )
            )
            for weight in weights
        ]
