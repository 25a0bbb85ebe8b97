"""The constraint that keeps masked values at zero under any optimizer."""

import contextlib
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking.storage import Storage
from tf_rigl.masking.storage import masked


class MaskConstraint:
    """Masks a weight after every optimizer step, and applies its constraint.

    Keras optimizers apply constraints in `fit` and in custom loops alike. The
    constraint stays on the weight as long as it has a mask, so no optimizer can
    make the weight dense. An update rule that keeps zeros itself lifts it while
    it applies gradients, which saves a pass over the weight.

    Attributes:
        storage: the weight's values and mask.
        path: the weight's path in its layer.
        original: the user's constraint on the weight, if any.
        observers: functions called with the path when an optimizer applies the
            constraint; in a compiled step they are called during tracing.
    """

    def __init__(
        self, flavor: flavors.Flavor, variable: Any, storage: Storage, path: str
    ) -> None:
        self.storage = storage
        self.path = path
        self.original: flavors.Constraint | None = variable.constraint
        self.observers: dict[int, Callable[[str], None]] = {}

        self._flavor = flavor
        self._variable = variable
        self._lifted = 0  # number of replicas that have lifted it

    def __call__(self, weight: Any) -> tf.Tensor:
        """Returns the weight with zeros at masked positions."""
        for observe in self.observers.values():
            observe(self.path)
        mask = self.storage.mask
        if self.original is not None:
            # A norm must not include values that the step wrote outside the
            # mask.
            weight = self.original(masked(weight, mask))
        return masked(weight, mask)

    @property
    def is_lifted(self) -> bool:
        """True while an optimizer that keeps zeros itself applies gradients."""
        return self._lifted > 0

    def put(self) -> None:
        """Sets the constraint on its weight."""
        self._flavor.set_constraint(self._variable, self)

    def remove(self) -> None:
        """Restores the weight's original constraint, if any."""
        self._flavor.set_constraint(self._variable, self.original)

    def lift(self) -> None:
        """Removes the constraint until `put_back`, for one replica."""
        # Threads of replicas take turns while they apply gradients.
        self._lifted += 1
        self.remove()

    def put_back(self) -> None:
        """Undoes `lift` once all replicas have called it."""
        self._lifted -= 1
        if not self._lifted:
            self.put()

    def check_original_keeps_zeros(self) -> None:
        """Raises a ValueError if the user's constraint changes masked zeros."""
        if self.original is None or getattr(
            self.original, "keeps_zeros", False
        ):
            return

        constrained = np.asarray(self.original(self.storage.values()))
        if np.any(constrained[~self.storage.mask.numpy()] != 0):
            raise ValueError(
                "The constraint of a masked weight must keep zeros at zero. "
                f"Received: {self.original!r} on {self.path!r}. Remove the "
                "constraint, or keep the layer dense: sparsify(..., "
                "dense=[layer])."
            )


def constraint_of(variable: Any) -> MaskConstraint | None:
    """Returns the mask constraint that is set on a weight, else None."""
    found = variable.constraint
    return found if isinstance(found, MaskConstraint) else None


@contextlib.contextmanager
def lifted(constraints: Iterable[MaskConstraint]) -> Iterator[None]:
    """Lifts constraints within a `with` block."""
    constraints = list(constraints)
    for constraint in constraints:
        constraint.lift()
    try:
        yield
    finally:
        for constraint in constraints:
            constraint.put_back()
