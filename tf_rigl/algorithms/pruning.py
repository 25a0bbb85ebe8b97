"""What methods that prune a dense network have in common."""

from collections.abc import Callable
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms.algorithm import Algorithm
from tf_rigl.algorithms.algorithm import Weight
from tf_rigl.algorithms.algorithm import WeightUpdate
from tf_rigl.algorithms.algorithm import When
from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.global_selection import largest_of_all
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.core.random_scores import random_scores
from tf_rigl.core.schedules import UpdateSchedule

CRITERIA = ("magnitude", "random")
SCOPES = ("weight", "global")


class Scoped(Algorithm):
    """A method that prunes a dense model, weight by weight or globally."""

    start = "dense"
    scope: str

    @property
    def whole_model(self) -> bool:  # type: ignore[override]
        """One threshold needs all weights."""
        return self.scope == "global"

    @property
    def structures(self) -> tuple[str, ...] | None:  # type: ignore[override]
        """Positions of different weights compete only one by one."""
        return ("unstructured",) if self.whole_model else None


def scores(criterion: str, weight: Weight, seed: int, when: When) -> tf.Tensor:
    """What connections are kept by, compared by magnitude."""
    if criterion == "magnitude":
        return weight.values
    return random_scores(
        weight.values.shape, stateless_seed(seed, weight.key, when.step)
    )


def keep_largest(
    weights: Sequence[Weight],
    scores: Sequence[tf.Tensor],
    counts: Sequence[int | tf.Tensor],
    scope: str,
    revive: bool = False,
) -> list[WeightUpdate]:
    """Keeps the positions of largest score.

    Args:
        weights: one weight or more.
        scores: float tensor for each, compared by magnitude.
        counts: connections for each; under the global scope their sum counts.
        scope: `"weight"` or `"global"`.
        revive: whether masked positions compete too.
    """
    candidates = [
        tf.ones_like(weight.mask) if revive else weight.mask
        for weight in weights
    ]
    if scope == "global":
        total = tf.add_n([tf.cast(count, tf.int64) for count in counts])
        masks = largest_of_all(scores, candidates, total)
    else:
        masks = [
            weight.structure.largest(score, count, candidate)
            for weight, score, count, candidate in zip(
                weights, scores, counts, candidates, strict=True
            )
        ]
    return [
        WeightUpdate(changed(weight.mask, mask))
        for weight, mask in zip(weights, masks, strict=True)
    ]


def pruned_fraction(
    schedule: UpdateSchedule,
    total_steps: int,
    pruned: Callable[[int], float],
) -> float:
    """Mean over the steps of how much of the final zeros are zero.

    A step computes with what the updates before it have left.

    Args:
        schedule: of the updates.
        total_steps: optimizer steps of the whole training.
        pruned: the fraction of the final zeros after so many updates.

    Returns:
        p of `accounting.training_flops`, in [0, 1].
    """
    total, updates = 0.0, 0
    for step in range(total_steps):
        total += pruned(updates)
        updates += schedule.is_update(step)
    return total / max(total_steps, 1)


def changed(old: tf.Tensor, new: tf.Tensor) -> MaskUpdate:
    """The update from one mask to another."""
    return MaskUpdate(new, old & ~new, new & ~old)
