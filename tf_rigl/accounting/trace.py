"""Calls a model symbolically and leaves no trace of it."""

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.accounting.example import Example
from tf_rigl.backend.model_call import inference_keywords
from tf_rigl.backend.model_call import notes_kept


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
    training = inference_keywords(model)

    def call(*arguments: Any, **keywords: Any) -> None:
        before()
        model(*arguments, **{**keywords, **training})

    with notes_kept(layers), _functions_inlined():
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
