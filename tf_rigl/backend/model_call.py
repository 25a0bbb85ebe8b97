"""How a model is called where nothing of the call is to remain."""

import contextlib
import inspect
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# What Keras 2 notes at the first call, for saving.
NOTES = ("_saved_model_inputs_spec", "_saved_model_arg_spec")


def call_arguments(
    model: Any, inputs: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What `inputs` is to a model's `call`: its first argument or all.

    Args:
        model: a model.
        inputs: what it is called on, or a dictionary of that by the names of
            the arguments of `call`.

    Returns:
        Arguments and keywords.
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


def inference_keywords(model: Any) -> dict[str, bool]:
    """What has a model's `call` infer, where it makes a difference."""
    if "training" in inspect.signature(model.call).parameters:
        return {"training": False}
    return {}


def is_shape(value: Any) -> bool:
    """Whether a value is a shape, rather than a list of inputs."""
    if isinstance(value, tf.TensorShape):
        return True
    return (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(size is None or isinstance(size, int) for size in value)
    )


@contextlib.contextmanager
def notes_kept(layers: Sequence[Any]) -> Iterator[None]:
    """Keeps what layers have noted about earlier calls."""
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
