"""The mask update as part of an optimizer's update rule.

`update_step` of the user's own optimizer is overridden on the instance. There
the gradient is dense, reduced over replicas, accumulated and unscaled, so one
mechanism serves `fit`, custom loops, `tf.distribute`, several steps per
execution, XLA, gradient accumulation and loss scaling, without a host round
trip and without a second backward pass.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.core.selection import count_true
from tf_rigl.integration import constraint
from tf_rigl.integration import slots
from tf_rigl.integration.flavour import Flavour
from tf_rigl.integration.masked_weight import MaskedWeight

_HOOK = "_tf_rigl_hook"
_OVERRIDDEN = ("update_step", "_apply_weight_decay")

FindRecords = Callable[[], list[MaskedWeight]]


@dataclasses.dataclass(frozen=True)
class Hook:
    """What `install` did to one optimizer.

    Attributes:
        algorithm: the method at work, resolved.
        own: what the instance itself had in place of the overridden methods,
            None for those of its class.
        for_one_fit: whether it ends with a call of `fit`; if one is found
            later, that call was interrupted.
    """

    algorithm: Algorithm
    own: dict[str, Any]
    for_one_fit: bool


def installed(optimizer: Any) -> Hook | None:
    """The hook on an optimizer that owns its update rule, if any."""
    return optimizer.__dict__.get(_HOOK)


def install(
    flavour: Flavour,
    optimizer: Any,
    find_records: FindRecords,
    algorithm: Algorithm,
    for_one_fit: bool = False,
) -> None:
    """Overrides the update rule of an optimizer.

    Args:
        flavour: the optimizer's Keras.
        optimizer: an optimizer of the model, wrapped or not.
        find_records: returns the model's masked weights; called when they
            are first needed, since a model may get its weights only while its
            training step is traced.
        algorithm: a resolved method.
        for_one_fit: whether the hook ends with the present call of `fit`.
    """
    for updating in flavour.updating_optimizers(optimizer):
        rule = _UpdateRule(flavour, updating, find_records, algorithm)
        own = {name: updating.__dict__.get(name) for name in _OVERRIDDEN}
        # Into __dict__, past the attribute tracking of Keras and TensorFlow.
        updating.__dict__["update_step"] = rule.update_step
        updating.__dict__["_apply_weight_decay"] = rule.apply_weight_decay
        updating.__dict__[_HOOK] = Hook(algorithm, own, for_one_fit)
        if flavour.optimizer_is_built(updating):
            for record in find_records():
                _mask_slots(flavour, updating, record)


def uninstall(
    flavour: Flavour, optimizer: Any, records: list[MaskedWeight]
) -> None:
    """Undoes `install`; training goes on with the masks as they are."""
    for updating in flavour.updating_optimizers(optimizer):
        hook = updating.__dict__.pop(_HOOK, None)
        if hook is None:
            continue
        for name, method in hook.own.items():
            del updating.__dict__[name]
            if method is not None:
                updating.__dict__[name] = method
    for record in records:
        constraint.guard(flavour, record.variable, record.mask, record.path)


def forget_traces(model: Any) -> None:
    """Has `fit` trace its step anew, with the present update rule."""
    model.train_function = None
    if hasattr(model, "train_tf_function"):
        model.train_tf_function = None


class _UpdateRule:
    """The overridden methods of one optimizer."""

    def __init__(
        self,
        flavour: Flavour,
        optimizer: Any,
        find_records: FindRecords,
        algorithm: Algorithm,
    ) -> None:
        self._flavour = flavour
        self._optimizer = optimizer
        self._find_records = find_records
        self._algorithm = algorithm
        self._remask = not flavour.keeps_zeros(optimizer)
        self._own_update_step = optimizer.update_step
        self._own_apply_weight_decay = optimizer._apply_weight_decay

    @functools.cached_property
    def _sparse(self) -> dict[str, MaskedWeight]:
        """The masked weights that have a zero, by the variable's identity."""
        records = self._find_records()
        slots.check_all_found(self._flavour, self._optimizer, records)
        with tf.init_scope():
            for record in records:
                constraint.release(self._flavour, record.variable)
                # Dense values may have been loaded into it.
                _assign_masked(record.raw, record.mask)
                _check_constraint(record)
            return {
                self._key(record.variable): record
                for record in records
                if not np.all(record.mask.numpy())
            }

    @property
    def _schedule(self) -> UpdateSchedule | None:
        """When masks are updated; None where nothing can ever move."""
        schedule = self._algorithm.schedule
        if schedule is None or not schedule.num_updates or not self._sparse:
            return None
        return schedule

    def _key(self, variable: Any) -> str:
        return self._flavour.variable_key(self._optimizer, variable)

    def _update_index(self, schedule: UpdateSchedule) -> tf.Tensor:
        return schedule.update_index(
            tf.convert_to_tensor(self._optimizer.iterations)
        )

    @tf.autograph.experimental.do_not_convert
    def update_step(self, gradient: Any, variable: Any, *args: Any) -> None:
        """Replaces the optimizer's own; `args` is Keras 3's learning rate."""
        record = self._sparse.get(self._key(variable))
        if record is None:
            self._unless_skipped(
                lambda: self._own_update_step(gradient, variable, *args)
            )
            return
        gradient = tf.convert_to_tensor(gradient)  # embeddings' are slices

        def step() -> tf.Tensor:
            return self._masked_step(record, gradient, variable, *args)

        def update_mask() -> tf.Tensor:
            return self._update_mask(record, gradient, variable, update)

        schedule = self._schedule
        if schedule is None:
            step()
            return
        update = self._update_index(schedule)
        if self._algorithm.skip_weight_update:
            tf.cond(update >= 0, update_mask, step)
        else:
            step()
            tf.cond(update >= 0, update_mask, _nothing)

    @tf.autograph.experimental.do_not_convert
    def apply_weight_decay(self, variables: Any) -> None:
        """Replaces the optimizer's own, which runs before `update_step`."""
        decays = any(
            name.endswith("weight_decay") and value is not None
            for name, value in vars(self._optimizer).items()
            if not callable(value)
        )
        if decays:
            self._unless_skipped(
                lambda: self._own_apply_weight_decay(variables),
                merges_replicas=True,
            )

    def _unless_skipped(
        self, step: Callable[[], Any], merges_replicas: bool = False
    ) -> None:
        """Runs a step unless this batch updates masks instead."""
        schedule = self._schedule
        if schedule is None or not self._algorithm.skip_weight_update:
            step()
            return
        wanted = self._update_index(schedule) < 0
        if merges_replicas:
            _conditionally_across_replicas(wanted, step)
        else:
            tf.cond(wanted, lambda: _run(step), _nothing)

    def _masked_step(
        self,
        record: MaskedWeight,
        gradient: tf.Tensor,
        variable: Any,
        *args: Any,
    ) -> tf.Tensor:
        mask = tf.convert_to_tensor(record.mask)
        self._own_update_step(
            constraint.masked(gradient, mask), variable, *args
        )
        if self._remask:
            _assign_masked(variable, mask)
            for slot in slots.slots_of(self._flavour, self._optimizer, record):
                _assign_masked(slot, mask)
        return _nothing()

    def _update_mask(
        self,
        record: MaskedWeight,
        gradient: tf.Tensor,
        variable: Any,
        update: tf.Tensor,
    ) -> tf.Tensor:
        mask = tf.convert_to_tensor(record.mask)
        result = self._algorithm.update(
            tf.convert_to_tensor(variable), mask, gradient, update
        )
        record.mask.assign(result.mask)
        # New connections start at 0, which is what inactive ones hold.
        _assign_masked(variable, result.mask)
        for slot in slots.slots_of(self._flavour, self._optimizer, record):
            _assign_masked(slot, result.mask)
            fresh = slots.fresh_value(self._optimizer, slot)
            if fresh:
                _assign_where(slot, result.grown, fresh)
        finite = tf.reduce_all(tf.math.is_finite(gradient))
        record.counters.assign_add(
            tf.stack(
                [
                    tf.cast(finite, tf.int64),
                    count_true(result.grown),
                    tf.cast(~finite, tf.int64),
                ]
            )
        )
        return _nothing()


def _run(step: Callable[[], Any]) -> tf.Tensor:
    step()
    return _nothing()


def _nothing() -> tf.Tensor:
    """The value of a branch that is taken for its effects."""
    return tf.constant(0)


def _conditionally_across_replicas(
    wanted: tf.Tensor, step: Callable[[], Any]
) -> None:
    """`tf.cond` around a step that itself leaves the replica context.

    Such a step must not be called within a conditional of one replica, so
    the conditional is placed outside of all replicas.
    """
    if tf.__internal__.distribute.strategy_supports_no_merge_call():
        tf.cond(wanted, lambda: _run(step), _nothing)
        return

    def across(strategy: tf.distribute.Strategy, wanted: Any) -> None:
        # Every replica has the same step and so the same answer.
        first = strategy.experimental_local_results(wanted)[0]
        tf.cond(
            first,
            lambda: _run(lambda: strategy.extended.call_for_each_replica(step)),
            _nothing,
        )

    tf.distribute.get_replica_context().merge_call(across, args=(wanted,))


def _assign_masked(variable: Any, mask: tf.Tensor) -> None:
    variable.assign(constraint.masked(variable, mask))


def _assign_where(variable: Any, where: tf.Tensor, value: float) -> None:
    old = tf.convert_to_tensor(variable)
    variable.assign(tf.where(where, tf.cast(value, old.dtype), old))


def _mask_slots(flavour: Flavour, optimizer: Any, record: MaskedWeight) -> None:
    """What training without the hook left in slots of masked positions."""
    for slot in slots.slots_of(flavour, optimizer, record):
        mask = record.mask.numpy()
        flavour.raw(slot).assign(np.where(mask, flavour.raw(slot).numpy(), 0))


def _check_constraint(record: MaskedWeight) -> None:
    """A user's constraint must leave zeros alone."""
    own = record.variable.constraint
    if own is None:
        return
    mask = record.mask.numpy()
    constrained = np.asarray(own(tf.convert_to_tensor(record.raw)))
    if np.any(constrained[~mask] != 0):
        raise ValueError(
            "The constraint of a masked weight must keep zeros at zero. "
            f"Received: {own!r} on {record.path!r}. Remove the constraint, or "
            "keep the layer dense: sparsify(..., dense=[layer])."
        )
