"""The constraint that keeps a masked weight masked without a callback."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.flavor import Constraint
from tf_rigl.backend.flavor import Flavor


class MaskConstraint:
    """Masks a weight after every optimizer step, behind its own constraint.

    Keras's optimizers apply it, in `fit` as in custom loops. It is set while
    no update rule of ours is installed on an optimizer.

    Attributes:
        mask: bool variable of the weight's shape.
        path: the weight's path, for messages.
        original: the constraint that the user gave the weight, if any.
    """

    def __init__(
        self, mask: tf.Variable, path: str, original: Constraint | None
    ) -> None:
        self.mask = mask
        self.path = path
        self.original = original

    def __call__(self, weight: Any) -> tf.Tensor:
        """The weight with zeros where it is masked."""
        if self.original is not None:
            weight = self.original(weight)
        return masked(weight, self.mask)


def masked(values: Any, mask: Any) -> tf.Tensor:
    """The values, a tensor or variable, with zeros where they are masked.

    Selected, not multiplied: NaN and infinity times zero are not zero.
    """
    values = tf.convert_to_tensor(values)
    # Not `tf.where`, which broadcasts and takes twice as long on processors.
    return tf.raw_ops.Select(
        condition=tf.convert_to_tensor(mask),
        x=values,
        y=tf.zeros_like(values),
    )


def assign_masked(variable: Any, mask: Any) -> None:
    """Sets a variable to zero where it is masked."""
    variable.assign(masked(variable, mask))


def guard(flavor: Flavor, variable: Any, mask: tf.Variable, path: str) -> None:
    """Sets the constraint on a weight that does not have it yet."""
    original = variable.constraint
    if not isinstance(original, MaskConstraint):
        flavor.set_constraint(variable, MaskConstraint(mask, path, original))


def release(flavor: Flavor, variable: Any) -> None:
    """Gives a weight its own constraint back, if it had one."""
    constraint = variable.constraint
    if isinstance(constraint, MaskConstraint):
        flavor.set_constraint(variable, constraint.original)


def check_keeps_zeros(
    own: Constraint | None, values: Any, mask: tf.Variable, path: str
) -> None:
    """Raises unless a weight's own constraint leaves its zeros alone.

    Args:
        own: the constraint that the user gave the weight, if any.
        values: the weight, with zeros where it is masked.
        mask: of the same shape.
        path: the weight's path, for messages.

    Raises:
        ValueError: where masked zeros become something else.
    """
    if own is None:
        return
    constrained = np.asarray(own(tf.convert_to_tensor(values)))
    if np.any(constrained[~mask.numpy()] != 0):
        raise ValueError(
            "The constraint of a masked weight must keep zeros at zero. "
            f"Received: {own!r} on {path!r}. Remove the constraint, or "
            "keep the layer dense: sparsify(..., dense=[layer])."
        )
