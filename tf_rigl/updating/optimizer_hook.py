"""The mask update as part of an optimizer's update rule.

`update_step` of the user's optimizer is overridden on the instance. At that
point the gradient is dense, reduced over replicas, accumulated and unscaled,
so one mechanism serves `fit`, custom loops, `tf.distribute`, several steps per
execution, XLA, gradient accumulation and loss scaling, without a host round
trip or a second backward pass.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import Penalty
from tf_rigl.algorithms import frobenius_decay
from tf_rigl.backend import instance_methods
from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking import tree
from tf_rigl.masking.masked_weight import masked_weights
from tf_rigl.updating import latent_training
from tf_rigl.updating.non_finite import NonFiniteGuard
from tf_rigl.updating.penalties import StepPenalties
from tf_rigl.updating.update_rule import UpdateRule

_HOOK = "_tf_rigl_hook"


@dataclasses.dataclass(frozen=True)
class Hook:
    """Record of what `install` did to one optimizer."""

    rule: UpdateRule
    # Whether the hook goes when `fit` ends; a later `fit` finds it only if that
    # call was interrupted.
    for_one_fit: bool


def installed(optimizer: Any) -> Hook | None:
    """Returns the hook on an optimizer itself, not on one that it wraps."""
    return optimizer.__dict__.get(_HOOK)


def make_rules(
    flavor: Flavor,
    optimizer: Any,
    model: Any,
    algorithm: Algorithm,
    penalties: Sequence[Penalty] = (),
    max_non_finite_steps: int | None = None,
) -> list[UpdateRule]:
    """Makes an update rule for each optimizer that a wrapper contains.

    The model's weights are looked for when they are first needed, since it may
    create them only while its training step is traced. `algorithm` must be
    resolved; `penalties` are those besides its own and the model's.

    Raises:
        ValueError: if the optimizer changes weights that the method does not
            train.
    """
    latent_training.check_optimizer(flavor, optimizer, algorithm)
    every = (*algorithm.penalties, *penalties, *own_penalties(flavor, model))
    rules = [
        UpdateRule(
            flavor,
            updating,
            functools.partial(masked_weights, model),
            algorithm,
            StepPenalties(flavor, updating, model, every),
            max_non_finite_steps,
        )
        for updating in flavor.updating_optimizers(optimizer)
    ]
    for rule in rules:
        rule.scales_loss = "LossScale" in type(optimizer).__name__
    return rules


def own_penalties(flavor: Flavor, model: Any) -> list[Penalty]:
    """Returns the penalties that layers of a model bring: Frobenius decays."""
    layers = [node.layer for node in tree.walk(flavor, model)]
    return frobenius_decay.penalties(frobenius_decay.groups_of(layers))


def install(rules: list[UpdateRule], for_one_fit: bool = False) -> None:
    """Overrides the methods of the rules' optimizers.

    Call `prepare` of each rule once the weights exist. `for_one_fit` marks
    hooks that are removed when the current call of `fit` ends.
    """
    for rule in rules:
        instance_methods.put(
            rule.optimizer, {**rule.overrides(), _HOOK: Hook(rule, for_one_fit)}
        )


def finite_guards(flavor: Flavor, optimizer: Any) -> list[NonFiniteGuard]:
    """Returns the guards that skip non-finite steps of an optimizer."""
    hooks = map(installed, flavor.updating_optimizers(optimizer))
    return [
        hook.rule.guard
        for hook in hooks
        if hook is not None and hook.rule.guard is not None
    ]


def uninstall(flavor: Flavor, optimizer: Any) -> None:
    """Undoes `install` for an optimizer; the masks stay as they are."""
    for updating in flavor.updating_optimizers(optimizer):
        hook = installed(updating)
        if hook is not None:
            remove([hook.rule])


def remove(rules: list[UpdateRule]) -> None:
    """Undoes `install` for those of the rules that are installed."""
    for rule in rules:
        hook = installed(rule.optimizer)
        if hook is not None and hook.rule is rule:
            instance_methods.restore(rule.optimizer, *rule.overrides(), _HOOK)
            rule.release()
