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
from tf_rigl.core.drop_and_grow import changed
from tf_rigl.core.random_masks import stateless_seed
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.core.selection import largest_of_all

SCOPES = ("weight", "global")


def requirements(scope: str = "weight", **differences: object) -> Requirements:
    """Returns those of a method that begins dense, by weight or globally.

    Under the global scope one threshold needs all weights, and positions of
    different weights compete only one by one. `differences` are further
    fields of `Requirements`.
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
    criterion: str, weights: Sequence[WeightView], seed: int, when: StepInfo
) -> list[tf.Tensor]:
    """Returns what connections are kept by, compared by magnitude."""
    chosen = criteria.CRITERIA[criterion]

    def score(weight: WeightView) -> tf.Tensor:
        seed_of = functools.partial(stateless_seed, seed, weight.key, when.step)
        value = chosen.score(criteria.Evidence(weight.values, seed=seed_of))
        return criteria.ranks(value) if chosen.signed else value

    return [score(weight) for weight in weights]


def keep_largest(
    weights: Sequence[WeightView],
    scores: Sequence[tf.Tensor] | None = None,
    counts: Sequence[int | tf.Tensor] | None = None,
    scope: str = "weight",
    allow_regrowth: bool = False,
) -> list[WeightUpdate]:
    """Keeps the positions of largest score.

    Args:
        weights: one weight or more.
        scores: float tensor for each, compared by magnitude; None: values.
        counts: connections for each, None: their targets; under the global
            scope their sum counts.
        scope: `"weight"` or `"global"`.
        allow_regrowth: whether masked positions compete too.
    """
    if scores is None:
        scores = [weight.values for weight in weights]
    if counts is None:
        counts = [weight.target for weight in weights]
    candidates = [
        tf.ones_like(weight.mask) if allow_regrowth else weight.mask
        for weight in weights
    ]

    if scope == "global":
        total = tf.add_n([tf.cast(count, tf.int64) for count in counts])
        masks = largest_of_all(scores, candidates, total)
    else:
        masks = [
            _largest(weight, score, count, candidate)
            for weight, score, count, candidate in zip(
                weights, scores, counts, candidates, strict=True
            )
        ]

    return [
        WeightUpdate(changed(weight.mask, mask))
        for weight, mask in zip(weights, masks, strict=True)
    ]


def _largest(
    weight: WeightView,
    score: tf.Tensor,
    count: int | tf.Tensor,
    candidates: tf.Tensor,
) -> tf.Tensor:
    """Returns the mask of one weight."""
    size = weight.mask.shape.num_elements()
    if isinstance(count, int) and count == size:
        # A weight that stays dense need not fit the structure.
        return candidates
    return weight.structure.largest(score, count, candidates)


def pruned_fraction(
    schedule: UpdateSchedule, total_steps: int, pruned: Callable[[int], float]
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
