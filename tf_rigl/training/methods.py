"""The table of training methods that the command line offers.

A new method is one more row of `METHODS`. Its key is also its name in
`tf_rigl.accounting.training_flops`.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import tf_rigl


class UpdatePlan(NamedTuple):
    """When and how much the masks change."""

    stop_step: int  # optimizer updates; no mask changes from there on
    update_interval: int  # optimizer updates from one mask update to the next
    drop_fraction: float  # of the connections, in (0, 1]


class Method(NamedTuple):
    """One way to train."""

    label: str  # for people
    algorithm: Callable[[UpdatePlan], Any] | None  # None: train dense

    @property
    def is_sparse(self) -> bool:
        """Whether the method trains a masked model."""
        return self.algorithm is not None


def _static(plan: UpdatePlan) -> Any:
    del plan
    return tf_rigl.Static()


def _rigl(plan: UpdatePlan) -> Any:
    return tf_rigl.RigL(
        stop_step=plan.stop_step,
        update_interval=plan.update_interval,
        drop_fraction=plan.drop_fraction,
    )


METHODS: dict[str, Method] = {
    "dense": Method("Dense", None),
    "static": Method("Static", _static),
    "rigl": Method("RigL", _rigl),
}
