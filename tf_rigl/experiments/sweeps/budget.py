"""Runs of a sweep that may each cost the same FLOPs of training."""

import dataclasses
from collections.abc import Sequence

from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import costs
from tf_rigl.experiments.sweeps.grid import Point

# The FLOPs of gradual pruning are not in proportion to its epochs, as a short
# run has few steps at which to prune. Seen: three attempts.
_MOST_ATTEMPTS = 10


def at_equal_flops(
    points: Sequence[Point], run: PreparedRun, share: float
) -> list[Point]:
    """Gives each run as many whole epochs as its training FLOPs allow.

    Mask updates, pruning and the learning rate stretch with the run, as they
    do with `multiplier`; warm-up does not.

    Args:
        points: the runs, all of the same length.
        run: the first of them.
        share: what each run may cost, as a fraction of the training FLOPs of
            the dense network in a run of that length.

    Returns:
        The runs in the same order, with their `multiplier`.

    Raises:
        ValueError: if a method costs more in one epoch, or a network or a
            method does not allow the sparsity.
    """
    counted = costs.count(points, run)
    allowed = share * costs.dense_training_flops(counted.values(), run)
    multipliers = {}
    for point in points:
        if point.case not in multipliers:
            multipliers[point.case] = _stretch(
                point.settings, run, counted[point.case], allowed, share
            )

    return [
        point._replace(
            settings=_stretched(point.settings, multipliers[point.case])
        )
        for point in points
    ]


def _stretch(
    settings: RunSettings,
    run: PreparedRun,
    cost: costs.MethodCosts,
    allowed: float,
    share: float,
) -> float:
    """Returns the multiplier with which a run costs nearest to `allowed`."""
    flops = {run.plan.epochs: cost.training_flops}
    epochs = run.plan.epochs
    for _ in range(_MOST_ATTEMPTS):
        exact = epochs * allowed / flops[epochs]
        epochs = max(1, round(exact))
        if epochs in flops:
            break
        stretched = _stretched(settings, epochs / settings.epochs)
        flops[epochs] = costs.training_flops(stretched, run, cost.profile)

    best = min(flops, key=lambda one: abs(flops[one] - allowed))
    # A part of an epoch is rounded to one that costs up to twice as much.
    if best == 1 and flops[1] > allowed / 0.75:
        least = share * flops[1] / allowed
        raise ValueError(
            "`training_flops` must allow each method an epoch. Received: "
            f"training_flops={share:g}, which is {allowed / flops[1]:.2g} "
            f"epochs of {cost.label}. Allow {least:.2g} or more, set more "
            "--epochs, or make them shorter by --steps_per_epoch."
        )
    return best / settings.epochs


def _stretched(settings: RunSettings, multiplier: float) -> RunSettings:
    return dataclasses.replace(settings, multiplier=multiplier)
