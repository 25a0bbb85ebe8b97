"""The compiled training step of a model, kept from one `fit` to the next.

A step that updates masks is another one than the model's plain step. `fit`
with the callback puts it in the plain one's place and takes it out again, so
that neither is traced anew where nothing has changed, in whatever order they
take turns. What an interrupted `fit` has left in place goes with the next.
"""

import dataclasses
import functools
import sys
import types
from collections.abc import Sequence
from typing import Any

from tf_rigl.backend.flavor import PACKAGES
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.updating import optimizer_hook
from tf_rigl.updating.update_rule import UpdateRule

_KEPT = "_tf_rigl_train_step"
# Where Keras keeps the function of a step; the second is of Keras 2.
_ATTRIBUTES = ("train_function", "train_tf_function")

Functions = dict[str, Any]


@dataclasses.dataclass(eq=False)
class TrainStep:
    """A training step that updates masks, and the plain one of the model."""

    rules: list[UpdateRule]
    # All that the trace depends on; None: not known yet.
    key: Any
    compilation: Any  # stands for the call of `compile`
    functions: Functions | None = None  # None: not made yet
    plain: Functions | None = None  # those of the plain step, when last seen
    in_place: bool = False


def trace_key(
    rules: Sequence[UpdateRule], records: Sequence[MaskedWeight]
) -> Any:
    """Returns all that the trace of a training step depends on.

    Methods, optimizers, and what the step has taken of each masked weight.
    """
    return [
        [
            (
                id(rule.optimizer),
                rule.algorithm,
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
                record.is_sparse,
            )
            for record in records
        ],
    ]


def kept(model: Any, key: Any) -> list[UpdateRule]:
    """Returns the rules of the step that was kept for this key, else none."""
    step = model.__dict__.get(_KEPT)
    is_same = (
        step is not None
        and key is not None
        and step.compilation is _compilation(model)
        and _equal(step.key, key)
    )
    return step.rules if is_same else []


def begin(model: Any, rules: list[UpdateRule], key: Any) -> None:
    """Puts the step of these rules in place, traced already or to be made.

    Args:
        model: a compiled model whose `fit` is about to take its first step.
        rules: of all optimizers, kept ones or new ones.
        key: all that the trace depends on, compared by `==`; None: unknown.
    """
    step = model.__dict__.get(_KEPT)
    if step is None or step.rules is not rules:
        step = TrainStep(rules, key, _compilation(model))
        model.__dict__[_KEPT] = step

    plain = _functions(model)
    if step.plain not in (None, plain):
        # The user had the step made anew, to be traced with something new.
        step.functions = None
    step.plain = plain
    step.in_place = True
    optimizer_hook.install(rules, for_one_fit=True)
    if step.functions is None:
        _put(model, {})
        _make(model)
    else:
        _put(model, step.functions)
    # In the instance, past the attribute tracking of Keras.
    model.__dict__["make_train_function"] = functools.partial(
        _make_train_function, model
    )


def end(model: Any, key: Any = None) -> None:
    """Puts the plain step in place again, if it is not.

    Args:
        model: a model that `begin` was called with, or any other.
        key: what the trace turned out to depend on, if that was unknown.
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
    """Clears the model's training steps, so that `fit` traces anew."""
    end(model)
    model.__dict__.pop(_KEPT, None)
    model.__dict__.pop("make_train_function", None)
    if getattr(model, "train_function", None) is not None:
        _put(model, {})
        # A callback may have called this, and `fit` goes on.
        _make(model)


def _make_train_function(model: Any, *args: Any, **kwargs: Any) -> Any:
    """Replaces the model's own, with which `fit` begins."""
    if not _is_within_fit(model):
        end(model)
    return type(model).make_train_function(model, *args, **kwargs)


def _is_within_fit(model: Any) -> bool:
    """Returns whether a step is asked for amid a `fit`, by its callback.

    A `fit` that was interrupted has no frame left; the one that asks for its
    own step has not begun. Methods of Keras count, not a user's own `fit`.
    """
    callers = []
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        name = frame.f_code.co_name
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        is_entry = name in ("fit", "train_on_batch") and package in PACKAGES
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
        # Arrays in a method of the user's own.
        return False
