"""The constraint that keeps a masked weight masked without a callback."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking.storage import Storage
from tf_rigl.masking.storage import masked


class MaskConstraint:
    """Masks a weight after every optimizer step, behind its own constraint.

    Keras's optimizers apply it, in `fit` as in custom loops. It is set while
    no update rule of ours is installed on an optimizer. `original` is the
    constraint that the user gave the weight, if any.
    """

    def __init__(
        self, storage: Storage, path: str, original: flavors.Constraint | None
    ) -> None:
        self.storage = storage
        self.path = path
        self.original = original

    def __call__(self, weight: Any) -> tf.Tensor:
        """Returns the weight with zeros where it is masked."""
        if self.original is not None:
            weight = self.original(weight)
        return masked(weight, self.storage.mask)


def add_mask_constraint(
    flavor: flavors.Flavor, variable: Any, storage: Storage, path: str
) -> None:
    """Sets the constraint on a weight that does not have it yet."""
    original = variable.constraint
    if not isinstance(original, MaskConstraint):
        constraint = MaskConstraint(storage, path, original)
        flavor.set_constraint(variable, constraint)


def remove_mask_constraint(flavor: flavors.Flavor, variable: Any) -> None:
    """Gives a weight its own constraint back, if it had one."""
    constraint = variable.constraint
    if isinstance(constraint, MaskConstraint):
        flavor.set_constraint(variable, constraint.original)


def check_keeps_zeros(
    own: flavors.Constraint | None, storage: Storage, path: str
) -> None:
    """Raises a ValueError if a weight's own constraint changes masked zeros."""
    if own is None:
        return

    constrained = np.asarray(own(storage.values()))
    if np.any(constrained[~storage.mask.numpy()] != 0):
        raise ValueError(
            "The constraint of a masked weight must keep zeros at zero. "
            f"Received: {own!r} on {path!r}. Remove the constraint, or "
            "keep the layer dense: sparsify(..., dense=[layer])."
        )
