"""Functions that methods which prune a dense network share."""

import functools
from collections.abc import Callable
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.algorithms.algorithm import StepInfo
from tf_rigl.algorithms.algorithm import WeightUpdate
from tf_rigl.algorithms.algorithm import WeightView
from tf_rigl.algorithms.requirements import Requirements
from tf_rigl.core import criteria
from tf_rigl.core.checks import check_choice
from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.core.selection import largest_of_all

SCOPES = ("weight", "global")


def requirements(scope: str = "weight", **differences: object) -> Requirements:
    """Returns those of a method that begins dense, by weight or globally.

    Under the global scope one threshold needs all weights, and positions of
    different weights compete only one by one.

    Args:
        scope: `"weight"` or `"global"`.
        **differences: further fields of `Requirements`.
    """
    whole_model = scope == "global"
    return Requirements(
        start="dense",
        structures=("unstructured",) if whole_model else None,
        whole_model=whole_model,
        **differences,  # type: ignore[arg-type]
    )


def check_arguments(criterion: str, scope: str) -> None:
    """Raises a ValueError unless a method can prune by both."""
    check_choice("criterion", criterion, criteria.names_without_data())
    check_choice("scope", scope, SCOPES)


def scores(
    criterion: str, weight: WeightView, seed: int, when: StepInfo
) -> tf.Tensor:
    """Returns what connections are kept by, compared by magnitude."""
    chosen = criteria.CRITERIA[criterion]
    score = chosen.score(
        criteria.Evidence(
            weight.values,
            seed=functools.partial(stateless_seed, seed, weight.key, when.step),
        )
    )
    return criteria.ranks(score) if chosen.signed else score


def keep_largest(
    weights: Sequence[WeightView],
    scores: Sequence[tf.Tensor],
    counts: Sequence[int | tf.Tensor],
    scope: str,
    allow_regrowth: bool = False,
) -> list[WeightUpdate]:
    """Keeps the positions of largest score.

    Args:
        weights: one weight or more.
        scores: float tensor for each, compared by magnitude.
        counts: connections for each; under the global scope their sum counts.
        scope: `"weight"` or `"global"`.
        allow_regrowth: whether masked positions compete too.
    """
    candidates = [
        tf.ones_like(weight.mask) if allow_regrowth else weight.mask
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
    """Returns the mean over the steps of how many final zeros are zero.

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
    """Returns the update from one mask to another."""
    return MaskUpdate(new, old & ~new, new & ~old)
