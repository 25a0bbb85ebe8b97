"""Networks and data of a user's own, which flags name by their functions.

`--model=package.module:function` and `--data=package.module:function` name
functions that are imported from the working directory or an installed package.
"""

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

from tf_rigl.experiments.fields import FieldRule


def is_reference(name: str) -> bool:
    """Returns whether a name refers to a function, not to one of ours."""
    return ":" in name


def or_reference(rule: FieldRule) -> FieldRule:
    """Extends a rule of names by references to functions."""
    return FieldRule(
        lambda value: rule.holds(value) or is_reference(value),
        f"{rule.text}, or package.module:function",
    )


def build_network(reference: str, keras: Any, **offered: Any) -> Any:
    """Calls a user's function that builds a network.

    Args:
        reference: as in `--model=package.module:function`.
        keras: the Keras to build with.
        **offered: arguments of networks, such as `input_shape` and `classes`.
            The function gets those that it takes, `keras` among them.

    Returns:
        The model, whose outputs are logits of the classes.

    Raises:
        ValueError: if there is no such function, or its result is no model of
            this Keras, or one with other outputs.
    """
    model = _call("model", reference, keras=keras, **offered)
    if not isinstance(model, keras.Model):
        raise ValueError(
            "`model` must name a function that returns a model of "
            f"`{keras.__name__}`. Received: {reference!r}, which returned "
            f"{type(model).__name__}. Build with the argument `keras` of the "
            "function, or choose --keras."
        )

    last = model.layers[-1]
    activation = getattr(last, "activation", None)
    if "softmax" in (
        last.__class__.__name__.lower(),
        getattr(activation, "__name__", ""),
    ):
        raise ValueError(
            "`model` must name a function whose model returns logits, which "
            f"the loss takes. Received: {reference!r}, whose last layer "
            f"{last.name!r} is a softmax. Leave it out."
        )
    classes = offered.get("classes")
    if classes and model.built and model.output_shape[-1] != classes:
        raise ValueError(
            f"`model` must have an output for each of the {classes} classes of "
            f"the data. Received: {reference!r}, whose outputs have the shape "
            f"{model.output_shape}. Take the argument `classes`."
        )
    return model


def network_takes(reference: str, argument: str) -> bool:
    """Returns whether a user's function of a network takes an argument.

    Raises:
        ValueError: if there is no such function.
    """
    parameters = inspect.signature(_find("model", reference)).parameters
    return argument in parameters or any(
        one.kind is one.VAR_KEYWORD for one in parameters.values()
    )


@functools.lru_cache(maxsize=1)
def load_arrays(reference: str, data_dir: str | None) -> tuple[Any, Any]:
    """Calls a user's function that returns data.

    Args:
        reference: as in `--data=package.module:function`.
        data_dir: `--data_dir`, for a function that takes it.

    Returns:
        Pairs of arrays (inputs, integer classes), to train and to evaluate on.

    Raises:
        ValueError: if there is no such function, or its result is no two pairs.
    """
    result = _call("data", reference, data_dir=data_dir)
    try:
        (inputs, labels), (more_inputs, more_labels) = result
    except (TypeError, ValueError) as error:
        raise ValueError(
            "`data` must name a function that returns ((inputs, labels), "
            "(inputs, labels)), arrays to train and to evaluate on, as "
            f"`keras.datasets` do. Received: {reference!r}, which returned "
            f"{type(result).__name__}."
        ) from error
    return (inputs, labels), (more_inputs, more_labels)


def _find(argument: str, reference: str) -> Callable[..., Any]:
    module, _, name = reference.partition(":")
    # A console script has the folder of scripts there instead.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = functools.reduce(
            getattr, name.split("."), importlib.import_module(module)
        )
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise ValueError(
            f"`{argument}` must name a function that can be imported, as "
            f"package.module:function. Received: {reference!r}: {error}. "
            "Modules are looked for in the working directory and among the "
            "installed packages."
        ) from error

    if not callable(found):
        raise ValueError(
            f"`{argument}` must name a function. Received: {reference!r}, "
            f"which is a {type(found).__name__}."
        )
    return found


def _call(argument: str, reference: str, **offered: Any) -> Any:
    """Calls a function with the arguments that it takes, of those offered."""
    function = _find(argument, reference)
    parameters = inspect.signature(function).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return function(**offered)

    missing = [
        one.name
        for one in parameters
        if one.default is one.empty
        and one.kind is not one.VAR_POSITIONAL
        and one.name not in offered
    ]
    if missing:
        raise ValueError(
            f"`{argument}` must name a function that needs no other arguments "
            f"than {sorted(offered)}. Received: {reference!r}, which needs "
            f"{missing}. Give them defaults."
        )
    names = {one.name for one in parameters}
    return function(**{k: v for k, v in offered.items() if k in names})
