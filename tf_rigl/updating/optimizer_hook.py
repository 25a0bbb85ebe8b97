"""The mask update as part of an optimizer's update rule.

`update_step` of the user's own optimizer is overridden on the instance. There
the gradient is dense, reduced over replicas, accumulated and unscaled, so one
mechanism serves `fit`, custom loops, `tf.distribute`, several steps per
execution, XLA, gradient accumulation and loss scaling, without a host round
trip and without a second backward pass.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from tf_rigl.algorithms import Algorithm
from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking import constraint
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.updating import update_rule
from tf_rigl.updating.non_finite import NonFiniteGuard

_HOOK = "_tf_rigl_hook"


@dataclasses.dataclass(frozen=True)
class Hook:
    """Record of what `install` did to one optimizer."""

    algorithm: Algorithm  # the method at work, resolved
    rule: update_rule.UpdateRule  # the update rule
    # What the instance itself had in place of the overridden attributes, None
    # for those of its class.
    own: dict[str, Any]
    # Whether it ends with a call of `fit`; if one is found later, that call was
    # interrupted.
    for_one_fit: bool


def installed(optimizer: Any) -> Hook | None:
    """Returns the hook on an optimizer that owns its update rule, if any."""
    return optimizer.__dict__.get(_HOOK)


def install(
    flavor: Flavor,
    optimizer: Any,
    find_records: update_rule.FindRecords,
    algorithm: Algorithm,
    for_one_fit: bool = False,
    max_non_finite_steps: int | None = None,
) -> Callable[[], None]:
    """Overrides the update rule of an optimizer, wrapped or not.

    `find_records` returns the model's masked weights; it is called when they
    are first needed, since a model may get its weights only while its training
    step is traced. The method is a resolved one; `for_one_fit` says that the
    hook ends with the present call of `fit`.

    Returns:
        A function that gives the weights to the new update rule, to be called
        once they exist.
    """
    rules = []
    for updating in flavor.updating_optimizers(optimizer):
        rule = update_rule.UpdateRule(
            flavor, updating, find_records, algorithm, max_non_finite_steps
        )
        overrides = rule.overrides()
        own = {name: updating.__dict__.get(name) for name in overrides}
        # Into __dict__, past the attribute tracking of Keras and TensorFlow.
        updating.__dict__.update(overrides)
        updating.__dict__[_HOOK] = Hook(algorithm, rule, own, for_one_fit)
        rules.append(rule)

    def prepare() -> None:
        for rule in rules:
            rule.prepare()

    return prepare


def finite_guards(flavor: Flavor, optimizer: Any) -> list[NonFiniteGuard]:
    """Returns what skips steps of an optimizer; empty if nothing does."""
    hooks = map(installed, flavor.updating_optimizers(optimizer))
    return [
        hook.rule.guard
        for hook in hooks
        if hook is not None and hook.rule.guard is not None
    ]


def uninstall(
    flavor: Flavor, optimizer: Any, records: list[MaskedWeight]
) -> None:
    """Undoes `install`; training goes on with the masks as they are."""
    for updating in flavor.updating_optimizers(optimizer):
        hook = updating.__dict__.pop(_HOOK, None)
        if hook is None:
            continue
        for name, value in hook.own.items():
            del updating.__dict__[name]
            if value is not None:
                updating.__dict__[name] = value
    for record in records:
        constraint.add_mask_constraint(
            flavor, record.variable, record.storage, record.path
        )


def forget_traces(model: Any) -> None:
    """Clears the compiled train function so that `fit` retraces it."""
    model.train_function = None
    if hasattr(model, "train_tf_function"):
        model.train_tf_function = None
