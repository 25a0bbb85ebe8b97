"""What layers compute in."""

import contextlib
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def precision_of_layers(keras: ModuleType, precision: str) -> Iterator[None]:
    """Gives layers that are made in this context a precision.

    Args:
        keras: The Keras that makes them.
        precision: One of `settings.PRECISIONS`.
    """
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(precision)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
