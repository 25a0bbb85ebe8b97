"""Functions that outlive the graph in which they are traced."""

from collections.abc import Callable
from collections.abc import Hashable
from typing import Any

import tensorflow as tf


class TraceCache:
    """Keeps functions of a step for the next time that the step is traced.

    Keras traces a step twice where the first call of `fit` makes variables,
    slots or those of metrics. What takes long to trace need not be: a
    function to which tensors are passed, and which takes nothing else from
    the graph around it, does for both.
    """

    def __init__(self) -> None:
        self._functions: dict[Hashable, Any] = {}

    def call(
        self, key: Hashable, function: Callable[..., Any], *arguments: Any
    ) -> Any:
        """Calls a function of tensors, or lists of them, as a single node.

        Args:
            key: what the function stands for. With equal keys functions must
                be equal, and so must all that they read while being traced:
                attributes of objects, closures, dtypes of the arguments.
            function: of the arguments.
            arguments: tensors, or lists of them.
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
        # Tensors of the present graph are of no use in another one. On TPUs
        # the handles of variables are such.
        if not any(map(tf.is_symbolic_tensor, captured)):
            self._functions[key] = traced
        return traced(*arguments)
