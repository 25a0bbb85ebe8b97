"""Variables with a shape and a dtype that hold no memory yet."""

import contextlib
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import resource_variable_ops


def make(
    shape: Sequence[int], dtype: tf.DType, name: str, trainable: bool = True
) -> Any:
    """Makes a variable that has no value before it is assigned."""
    with tf.init_scope():
        return resource_variable_ops.UninitializedVariable(
            shape=tuple(shape), dtype=dtype, name=name, trainable=trainable
        )


@contextlib.contextmanager
def made_unset(shape: Sequence[int], dtype: tf.DType) -> Iterator[None]:
    """Makes variables created within a `with` block ones without a value.

    All that are created there have the shape and the dtype. Initial values are
    not computed.
    """

    def create(next_creator: Any, **kwargs: Any) -> Any:
        del next_creator
        trainable = kwargs.get("trainable")
        return make(
            shape,
            dtype,
            kwargs.get("name") or "Variable",
            trainable is None or trainable,
        )

    # A function that is being traced has a creator of its own, which computes
    # initial values.
    with tf.init_scope(), tf.variable_creator_scope(create):
        yield
