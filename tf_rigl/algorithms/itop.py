"""Recipes of in-time over-parameterization: RigL and SET that explore more.

A network may reach the accuracy of a dense one if, over its training, enough
different positions have been active, and each for long enough. So masks are
updated rarely, many connections at a time, and to the very end of training.
Batches should be small and training long. `mask_exploration` in the logs of
`fit` is the paper's R_s, the share of positions that have been active.

Reference: Liu et al., "Do We Actually Need Dense Over-Parameterization? In-Time
Over-Parameterization in Sparse Training", ICML 2021, arXiv:2102.02887; defaults
are those of its repository, Shiweiliuiiiiiii/In-Time-Over-Parameterization, for
CIFAR, 250 epochs of batches of 128. That code drops ceil(f · nnz) and decays f
to 0.005; here it is floor(f · nnz), to 0.
"""

from typing import Any

from tf_rigl.algorithms.rigl import RigL
from tf_rigl.algorithms.schedule import StopStep
from tf_rigl.algorithms.set import SET
from tf_rigl.core import checks


def _check(steps: StopStep, update_interval: int) -> None:
    """Raises an error if no mask update were left in the training."""
    if steps is None or steps == "never":
        return
    checks.check_integer("steps", steps, "the optimizer steps of the training")
    if steps <= update_interval:
        raise ValueError(
            "The recipes of ITOP first update masks after `update_interval` "
            f"steps, which must be before the end. Received: steps={steps}, "
            f"update_interval={update_interval}. Train longer, or pass a "
            "shorter `update_interval`."
        )


def rigl_itop(
    steps: StopStep,
    update_interval: int = 4000,
    drop_fraction: float = 0.5,
    **arguments: Any,
) -> RigL:
    """Makes RigL by the recipe of ITOP.

    The first update is after `update_interval` steps, and each follows the
    weight update of its batch.

    Args:
        steps: optimizer steps of the training, at whose end updates end; None
            for three quarters of the steps that `fit` announces; `"never"` as
            in `RigL`.
        update_interval: ΔT, in optimizer steps.
        drop_fraction: fraction of the connections that moves at first.
        **arguments: further arguments of `RigL`.

    Errors are those of `RigL`, and a ValueError if the training is no longer
    than an interval.
    """
    _check(steps, update_interval)
    recipe = {"update_at_start": False, "skip_weight_update": False}
    return RigL(
        steps, update_interval, drop_fraction, **{**recipe, **arguments}
    )


def set_itop(
    steps: StopStep,
    update_interval: int = 1500,
    drop_fraction: float = 0.5,
    **arguments: Any,
) -> SET:
    """Makes SET by the recipe of ITOP; see `rigl_itop` for the arguments.

    Errors are those of `SET`, and the ValueError of `rigl_itop`.
    """
    _check(steps, update_interval)
    recipe = {"start_step": update_interval}
    return SET(steps, update_interval, drop_fraction, **{**recipe, **arguments})
