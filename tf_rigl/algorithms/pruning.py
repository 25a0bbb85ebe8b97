"""Functions shared by methods that prune a dense network."""

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
from tf_rigl.core.selection import count_true
from tf_rigl.core.selection import largest_mask
from tf_rigl.core.selection import largest_of_all

SCOPES = ("weight", "global")


def requirements(scope: str = "weight", **differences: object) -> Requirements:
    """Returns the requirements of a method that starts dense.

    The global scope needs all weights at once for its threshold, and only
    single positions of different weights are comparable. `differences` are
    further fields of `Requirements`.
    """
    whole_model = scope == "global"
    return Requirements(
        start="dense",
        structures=("unstructured",) if whole_model else None,
        whole_model=whole_model,
        **differences,  # type: ignore[arg-type]
    )


def check_arguments(criterion: str, scope: str) -> None:
    """Raises a ValueError unless methods support both arguments."""
    check_choice("criterion", criterion, criteria.names_without_data())
    check_choice("scope", scope, SCOPES)


def scores(
    criterion: str, weights: Sequence[WeightView], seed: int, when: StepInfo
) -> list[tf.Tensor]:
    """Returns one score tensor per weight, to be compared by magnitude."""
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
    """Prunes to the positions with the largest scores.

    Args:
        weights: one weight or more.
        scores: one float tensor per weight, compared by magnitude; the weights'
            values by default.
        counts: number of connections of each weight, by default its target;
            under the global scope only their sum matters, and each weight
            keeps the `least` that it must have.
        scope: `"weight"` or `"global"`.
        allow_regrowth: whether masked positions compete, too.
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
        masks = _largest_of_all(weights, scores, candidates, total)
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


def _largest_of_all(
    weights: Sequence[WeightView],
    scores: Sequence[tf.Tensor],
    candidates: Sequence[tf.Tensor],
    total: tf.Tensor,
) -> list[tf.Tensor]:
    """Marks the largest of all, among them the `least` of each weight."""
    if not any(weight.least for weight in weights):
        return largest_of_all(scores, candidates, total)

    must_stay = [
        largest_mask(score, open_, tf.minimum(count_true(open_), weight.least))
        for weight, score, open_ in zip(
            weights, scores, candidates, strict=True
        )
    ]
    others = [
        open_ & ~stays
        for open_, stays in zip(candidates, must_stay, strict=True)
    ]
    left = total - tf.add_n([count_true(stays) for stays in must_stay])
    chosen = largest_of_all(scores, others, tf.maximum(left, 0))
    return [one | stays for one, stays in zip(chosen, must_stay, strict=True)]


def _largest(
    weight: WeightView,
    score: tf.Tensor,
    count: int | tf.Tensor,
    candidates: tf.Tensor,
) -> tf.Tensor:
    size = weight.mask.shape.num_elements()
    if isinstance(count, int) and count == size:
        # A weight that stays dense may not fit the structure.
        return candidates
    return weight.structure.largest(score, count, candidates)


def pruned_fraction(
    schedule: UpdateSchedule, total_steps: int, pruned: Callable[[int], float]
) -> float:
    """Returns the mean fraction of the final zeros over all steps.

    Step t computes with the masks that the updates before it have left.

    Args:
        schedule: the schedule of mask updates.
        total_steps: optimizer steps in the whole training.
        pruned: maps a number of updates to the fraction of the final zeros that
            they have pruned.

    Returns:
        The p of `accounting.training_flops`, in [0, 1].
    """
    total, updates = 0.0, 0
    for step in range(total_steps):
        total += pruned(updates)
        updates += schedule.is_update(step)
    return total / max(total_steps, 1)
