"""Calls of a model that leave no trace in it."""

import contextlib
import inspect
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# Attributes that Keras 2 records at the first call, for saving.
NOTES = ("_saved_model_inputs_spec", "_saved_model_arg_spec")


def call_arguments(
    model: Any, inputs: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns positional and keyword arguments of `model.call` for `inputs`.

    A dictionary keyed by argument names of `call` holds all arguments; anything
    else is the first argument.
    """
    names = list(inspect.signature(model.call).parameters)
    if (
        isinstance(inputs, Mapping)
        and names[0] in inputs
        and set(inputs) <= set(names)
    ):
        others = {name: inputs[name] for name in inputs if name != names[0]}
        return (inputs[names[0]],), others
    return (inputs,), {}


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
