"""Calls a model symbolically so that nothing of the call remains."""

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend.call_signature import Example
from tf_rigl.backend.model_call import trace_inference


def trace(
    model: Any,
    layers: Sequence[Any],
    example: Example,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Calls a model symbolically, in inference mode; builds what is not built.

    `layers` are those that exist, the model among them; `before` is called
    right before the model, maybe more than once.
    """
    with _functions_inlined():
        trace_inference(
            model, layers, example.arguments, example.keywords, before=before
        )


@contextlib.contextmanager
def _functions_inlined() -> Iterator[None]:
    """Runs each `tf.function` within the model like plain Python.

    One that was traced before, or that runs twice, would not call its layers
    again.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
