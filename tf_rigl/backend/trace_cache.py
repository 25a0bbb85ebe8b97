"""A cache of functions across retraces of a training step."""

from collections.abc import Callable
from collections.abc import Hashable
from typing import Any

import tensorflow as tf


class TraceCache:
    """Keeps traced functions for the next time that a step is traced.

    Keras traces a step twice if the first call of `fit` creates variables, such
    as slots or metrics. A function that is slow to trace can be reused if it
    receives tensors only as arguments and captures nothing from the surrounding
    graph.
    """

    def __init__(self) -> None:
        self._functions: dict[Hashable, Any] = {}

    def call(
        self, key: Hashable, function: Callable[..., Any], *arguments: Any
    ) -> Any:
        """Calls a function of tensors, or lists of tensors, as a single node.

        Args:
            key: identifies the function. Functions with equal keys must be
                equal, including everything that they read while being traced:
                attributes, closures and the dtypes of arguments.
            function: the function to trace and call.
            arguments: tensors or lists of tensors.
        """
        kept = self._functions.get(key)
        if kept is not None:
            return kept(*arguments)
        traced = tf.function(
            function,
            autograph=False,
            experimental_attributes={"_noinline": True},
        )
        captured = traced.get_concrete_function(*arguments).captured_inputs
        # A function that captures tensors of the current graph cannot be used
        # in another one. On TPUs the handles of variables are such tensors.
        if not any(map(tf.is_symbolic_tensor, captured)):
            self._functions[key] = traced
        return traced(*arguments)
