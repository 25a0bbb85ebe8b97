"""Warnings about a `fit` that does less than its user may expect."""

import warnings
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from tf_rigl.algorithms import Algorithm
from tf_rigl.checkpointing.optimizer_state import steps_taken
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.updating.loss_watch import Jump
from tf_rigl.updating.update_rule import UpdateRule


def warn_of_empty(paths: Iterable[str]) -> None:
    """Warns of weights that have lost all of their connections."""
    _warn(
        f"These weights have no connections left: {sorted(paths)}. Their "
        "products are zero. Lower the sparsity, choose scope='weight', or "
        "leave them dense: sparsify(..., dense=...)."
    )


def warn_of_idle(optimizers: Iterable[Any], method: str) -> None:
    """Warns that a method has hooked optimizers that have taken no step."""
    _warn(
        f"The optimizers {[one.name for one in optimizers]} have taken no "
        f"step: {method!r} has not updated any mask. Keep the optimizer that "
        "trains the model as an attribute of the model, or call "
        "`tf_rigl.attach(optimizer, model, algorithm)`."
    )


def warn_of_no_update(method: Algorithm) -> None:
    """Warns if no mask update is left in the steps that `fit` announces."""
    schedule = method.schedule
    if schedule is None or schedule.num_updates:
        return
    _warn(
        f"{method.name!r} will not update any mask: its first update is at "
        f"step {schedule.time_of_update(0)}, and updates end at step "
        f"{schedule.stop_step} of this `fit`. Pass a shorter "
        "`update_interval`, an earlier `start_step`, or train longer."
    )


def warn_of_jump(jump: Jump, method: Algorithm) -> None:
    """Warns that the loss has jumped at a mask update and stays there."""
    remedy = "a longer `update_interval`, a lower `drop_fraction`"
    if getattr(method, "gradient_steps", None) == 1:
        remedy = f"gradient_steps=20, {remedy}"
    _warn(
        f"The loss has jumped after a mask update of {method.name!r}, at batch "
        f"{jump.update} of this `fit`, from {jump.lowest:.4g} to at least "
        f"{jump.loss:.4g}, and has stayed there: training may not recover. "
        f"Begin anew with {remedy} or a lower learning rate."
    )


def warn_of_unfinished_pruning(
    rule: UpdateRule, records: Sequence[MaskedWeight]
) -> None:
    """Warns if pruning during training has left too many active connections.

    `rule` is one of the method that trained `records`, the masked weights.
    """
    records = [record for record in records if record.is_trainable]
    connections = sum(record.num_active() for record in records)
    target = sum(record.target for record in records)
    method = rule.algorithm
    if not method.requirements.prunes_during_training or connections <= target:
        return

    schedule = method.schedule
    last = schedule and schedule.time_of_update(schedule.num_updates - 1)
    taken = steps_taken(rule.optimizer) - (rule.origin or 0)
    _warn(
        f"{method.name!r} has not reached the target sparsity: {connections} "
        f"connections are active instead of {target}. Its last mask update is "
        f"at optimizer step {last}, and {taken} steps have been taken. Train "
        "longer, or pass an earlier end to the method."
    )


def _warn(message: str) -> None:
    # Attributed to this module, not to Keras: a filter can name this package.
    warnings.warn(message, stacklevel=1)
