"""Calls of a model that leave no trace in it."""

import contextlib
import inspect
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors

# Attributes that Keras 2 records at the first call, for saving.
NOTES = ("_saved_model_inputs_spec", "_saved_model_arg_spec")


def call_arguments(
    model: Any, inputs: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns positional and keyword arguments of `model.call` for `inputs`.

    A dictionary keyed by argument names of `call`, or a tuple or list where
    `call` requires several arguments, holds all arguments; anything else is the
    first argument.

    Raises:
        ValueError: if `inputs` lacks an argument that `call` requires.
    """
    parameters = list(inspect.signature(model.call).parameters.values())
    first = parameters[0]
    if (
        isinstance(inputs, Mapping)
        and first.name in inputs
        and set(inputs) <= _names_taken(model, parameters, inputs)
    ):
        others = {name: inputs[name] for name in inputs if name != first.name}
        value = inputs[first.name]
        several = first.kind is first.VAR_POSITIONAL
        arguments = tuple(value) if several else (value,), others
    else:
        arguments = (inputs,), {}
        all_in_order = isinstance(inputs, (list, tuple)) and len(inputs) > 1
        if all_in_order and missing_arguments(model, *arguments):
            arguments = tuple(inputs), {}

    missing = missing_arguments(model, *arguments)
    if missing:
        raise ValueError(
            "`inputs` must have all arguments that the model's `call` "
            f"requires. Received: none for {missing} of "
            f"{model.name!r}. Pass a dictionary by their names: "
            f"{inputs_by_name(model)}."
        )
    return arguments


def missing_arguments(
    model: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
) -> list[str]:
    """Lists the arguments that a model's `call` requires and does not get."""
    given = {*argument_names(model)[: len(arguments)], *keywords}
    return [name for name in _required(model) if name not in given]


def argument_names(model: Any) -> tuple[str, ...]:
    """Names the arguments that a model's `call` takes in order."""
    kind = inspect.Parameter
    return tuple(
        one.name
        for one in inspect.signature(model.call).parameters.values()
        if one.kind in (kind.POSITIONAL_ONLY, kind.POSITIONAL_OR_KEYWORD)
    )


def inputs_by_name(model: Any) -> str:
    """Writes what `inputs` for a model with several arguments look like."""
    named = ", ".join(f"{name!r}: ..." for name in _required(model))
    return f"inputs={{{named}}}"


def _names_taken(
    model: Any, parameters: list[inspect.Parameter], inputs: Mapping[str, Any]
) -> set[str]:
    """Returns the names by which a model's `call` takes arguments.

    Functional models take any by their signature, but use none of them.
    """
    names = {one.name for one in parameters}
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
    if takes_any and not flavors.is_container(model):
        names.update(inputs)
    return names


def _required(model: Any) -> list[str]:
    """Names the arguments of a model's `call` that a caller must give."""
    kind = inspect.Parameter
    return [
        one.name
        for one in inspect.signature(model.call).parameters.values()
        if one.default is kind.empty
        and one.kind not in (kind.VAR_POSITIONAL, kind.VAR_KEYWORD)
        # `trace_inference` gives it.
        and one.name != "training"
    ]


def trace_inference(
    model: Any,
    layers: Sequence[Any],
    arguments: tuple[Any, ...],
    keywords: Mapping[str, Any],
    autograph: bool = False,
    before: Callable[[], None] = lambda: None,
) -> Any:
    """Traces the inference of a model; builds layers that are not built.

    Args:
        model: a model of either Keras.
        layers: the existing layers, including the model.
        arguments: specifications of the positional arguments.
        keywords: specifications of the keyword arguments.
        autograph: whether to convert Python's `if` and loops on tensors.
        before: called right before the model, possibly more than once.
    """
    training = _inference_keywords(model)

    def infer(*arguments: Any, **keywords: Any) -> Any:
        before()
        return model(*arguments, **{**keywords, **training})

    with notes_kept(layers):
        concrete = tf.function(
            infer, autograph=autograph
        ).get_concrete_function(*arguments, **keywords)

    # Losses added by this call are tensors of the graph just traced.
    model._clear_losses()
    return concrete


def is_shape(value: Any) -> bool:
    """Returns whether `value` is a shape and not a list of inputs."""
    if isinstance(value, tf.TensorShape):
        return True
    return (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(size is None or isinstance(size, int) for size in value)
    )


@contextlib.contextmanager
def notes_kept(layers: Sequence[Any]) -> Iterator[None]:
    """Restores what layers have recorded about earlier calls."""
    before = [
        (layer, name, vars(layer)[name])
        for layer in layers
        for name in NOTES
        if name in vars(layer)
    ]
    try:
        yield
    finally:
        for layer, name, value in before:
            object.__setattr__(layer, name, value)


def _inference_keywords(model: Any) -> dict[str, bool]:
    """Returns the keyword arguments that select inference in `call`."""
    if "training" in inspect.signature(model.call).parameters:
        return {"training": False}
    return {}
