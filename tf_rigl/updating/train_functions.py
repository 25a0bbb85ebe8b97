"""The compiled training step of a model, kept from one `fit` to the next.

A training step that updates masks is compiled apart from the model's plain
step. `fit` with the callback swaps it in and out again, so that calls of `fit`
with and without the callback can alternate, and neither step is retraced
unless something has changed. After an interrupted `fit` the next one swaps.
"""

import dataclasses
import functools
import sys
import types
from collections.abc import Sequence
from typing import Any

from tf_rigl.backend import keras_bindings
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.updating import optimizer_hook
from tf_rigl.updating.update_rule import UpdateRule

_KEPT = "_tf_rigl_train_step"
# The attributes in which Keras keeps the compiled step. Only Keras 2 has the
# second one.
_ATTRIBUTES = ("train_function", "train_tf_function")

Functions = dict[str, Any]


@dataclasses.dataclass(eq=False)
class TrainStep:
    """A training step that updates masks, beside the model's plain step."""

    rules: list[UpdateRule]
    key: Any  # see `trace_key`; None if not known yet
    compilation: Any  # identifies the call of `compile`
    functions: Functions | None = None  # None if not made yet
    plain: Functions | None = None  # of the plain step, as last seen
    in_place: bool = False  # whether the model has `functions` now


def trace_key(
    rules: Sequence[UpdateRule], records: Sequence[MaskedWeight]
) -> Any:
    """Returns a key of everything that the trace of a training step depends on.

    That is optimizers, methods, and what the step reads of masked weights.
    """
    are_fixed = all(
        rule.algorithm.schedule is None
        and rule.algorithm.requirements.latent is None
        and not rule.algorithm.requirements.observes
        for rule in rules
    )
    return [
        [
            (
                id(rule.optimizer),
                rule.algorithm,
                rule.penalties.penalties,
                rule.max_non_finite_steps,
                rule.origin is None,
            )
            for rule in rules
        ],
        [
            (
                id(record.variable),
                [id(variable) for variable in record.storage.variables],
                {name: id(one) for name, one in record.state.items()},
                record.is_trainable,
                # The trace of fixed masks depends on neither.
                are_fixed or (record.is_sparse, record.target),
            )
            for record in records
        ],
    ]


def kept(model: Any, key: Any) -> list[UpdateRule]:
    """Returns the rules of the cached step if it has this key, else `[]`."""
    step = model.__dict__.get(_KEPT)
    is_same = (
        step is not None
        and key is not None
        and step.compilation is _compilation(model)
        and _equal(step.key, key)
    )
    return step.rules if is_same else []


def begin(model: Any, rules: list[UpdateRule], key: Any) -> None:
    """Swaps in the step with these rules, cached or newly made.

    Args:
        model: a compiled model whose `fit` is about to take its first step.
        rules: the rules of all optimizers, from `kept` or new.
        key: the result of `trace_key`; None if it is not known yet.
    """
    step = model.__dict__.get(_KEPT)
    if step is None or step.rules is not rules:
        step = TrainStep(rules, key, _compilation(model))
        model.__dict__[_KEPT] = step

    plain = _functions(model)
    if step.plain not in (None, plain):
        # The user has remade the plain step for a change to be traced.
        step.functions = None
    step.plain = plain
    step.in_place = True
    optimizer_hook.install(rules, for_one_fit=True)
    if step.functions is None:
        _put(model, {})
        _make(model)
    else:
        _put(model, step.functions)
    # Written to the instance directly, to bypass Keras's attribute tracking.
    model.__dict__["make_train_function"] = functools.partial(
        _make_train_function, model
    )


def end(model: Any, key: Any = None) -> None:
    """Swaps the plain step back in; does nothing if it is in place.

    Args:
        model: any model, whether `begin` was called for it or not.
        key: the result of `trace_key`, used if `begin` did not know it.
    """
    step = model.__dict__.get(_KEPT)
    if step is None or not step.in_place:
        return

    optimizer_hook.remove(step.rules)
    step.in_place = False
    if step.key is None:
        step.key = key
    if step.compilation is _compilation(model):
        step.functions = _functions(model)
        _put(model, step.plain or {})


def forget(model: Any) -> None:
    """Clears the compiled training steps, so that `fit` retraces them."""
    end(model)
    model.__dict__.pop(_KEPT, None)
    model.__dict__.pop("make_train_function", None)
    if getattr(model, "train_function", None) is not None:
        _put(model, {})
        # If a callback has called this, `fit` still needs a step.
        _make(model)


def _make_train_function(model: Any, *args: Any, **kwargs: Any) -> Any:
    """Overrides the model's method; outside of `fit`, calls `end` first."""
    if not _is_within_fit(model):
        end(model)
    return type(model).make_train_function(model, *args, **kwargs)


def _is_within_fit(model: Any) -> bool:
    """Returns whether a callback of a running `fit` asks for a train function.

    It does so by `train_on_batch`, so the stack holds both methods of Keras.
    An interrupted `fit` has no frame left, and a new `fit` that asks for its
    own step does so directly.
    """
    callers = []
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        name = frame.f_code.co_name
        module = frame.f_globals.get("__name__", "")
        is_keras = keras_bindings.package_of(module) in keras_bindings.PACKAGES
        is_entry = name in ("fit", "train_on_batch") and is_keras
        if is_entry and frame.f_locals.get("self") is model:
            callers.append(name)
        frame = frame.f_back
    return callers[:1] == ["train_on_batch"] and "fit" in callers


def _compilation(model: Any) -> Any:
    return getattr(model, "_compile_config", None)


def _functions(model: Any) -> Functions:
    return {name: getattr(model, name, None) for name in _ATTRIBUTES}


def _put(model: Any, functions: Functions) -> None:
    for name in _ATTRIBUTES:
        if hasattr(model, name):
            setattr(model, name, functions.get(name))


def _make(model: Any) -> None:
    function = type(model).make_train_function(model)
    if function is not None:
        model.train_function = function


def _equal(one: Sequence[Any], other: Sequence[Any]) -> bool:
    try:
        return bool(one == other)
    except ValueError:
        # A user's method has arrays as fields, which have no single truth.
        return False
