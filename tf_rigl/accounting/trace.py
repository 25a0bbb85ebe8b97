"""Calls a model symbolically and leaves no trace of it."""

import contextlib
import inspect
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.accounting.example import Example

# What Keras 2 notes at the first call, for saving.
NOTES = ("_saved_model_inputs_spec", "_saved_model_arg_spec")


def trace(
    model: Any,
    layers: Sequence[Any],
    example: Example,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Calls a model symbolically, in inference mode; builds what is not built.

    Args:
        model: a model.
        layers: the layers that exist, the model among them.
        example: what the model is called on.
        before: called right before the model, maybe more than once.
    """
    training = (
        {"training": False}
        if "training" in inspect.signature(model.call).parameters
        else {}
    )

    def call(*arguments: Any, **keywords: Any) -> None:
        before()
        model(*arguments, **{**keywords, **training})

    with _notes_kept(layers), _functions_inlined():
        tf.function(call, autograph=False).get_concrete_function(
            *example.arguments, **example.keywords
        )
    # Those of this call are tensors of a graph that is no more.
    model._clear_losses()


@contextlib.contextmanager
def _functions_inlined() -> Iterator[None]:
    """Has a `tf.function` within the model run like plain Python.

    One that was traced before, or that runs twice, would not call its layers
    again.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextlib.contextmanager
def _notes_kept(layers: Sequence[Any]) -> Iterator[None]:
    """Keeps what the layers have noted about earlier calls."""
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
