"""The user's classes and functions in a model, by names of their own."""

import collections
import contextlib
import functools
import types
from collections.abc import Iterator
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import tree

_LAMBDA = "<lambda>"


@contextlib.contextmanager
def named_apart(flavor: flavors.Flavor, model: Any) -> Iterator[dict[str, Any]]:
    """Names the user's classes and functions so that each is told apart.

    Keras writes them by name, and functions without one as code that has lost
    what it refers to. Within the context, those that have the name of another
    one in the model, or none, have names of their own.

    Yields:
        The classes and functions by name, as `custom_objects`. They need not be
        registered.

    Raises:
        ValueError: if Keras cannot write a function.
    """
    found = _found(flavor, model)
    times = collections.Counter(value.__name__ for value in found)
    own = [value for value in found if not _is_exported(value)]
    with contextlib.ExitStack() as stack:
        for number, value in enumerate(own):
            name = value.__name__
            if name == _LAMBDA or times[name] > 1:
                stack.callback(setattr, value, "__name__", name)
                value.__name__ = f"{name.strip('<>')}_of_model_{number}"
        yield {value.__name__: value for value in own}


def _found(flavor: flavors.Flavor, model: Any) -> list[Any]:
    """Lists the distinct classes and functions of a model's layers.

    They are the classes of layers, and the functions and the classes of objects
    in their attributes, such as regularizers.
    """
    found: list[Any] = []
    for node in tree.walk(flavor, model):
        found.append(flavors.plain_class(node.layer))
        for attribute, value in vars(node.layer).items():
            is_function = attribute.endswith("activation")
            if is_function and isinstance(value, functools.partial):
                raise ValueError(
                    "Keras can't write a partial function, and so makes no "
                    f"smaller layer with it. Received: {attribute}={value} of "
                    f"{node.layer.name!r}. Define a function that calls it."
                )
            if isinstance(value, types.FunctionType):
                found.append(value)
            elif hasattr(value, "get_config"):
                found.append(flavors.plain_class(value))
    return list({id(value): value for value in found}.values())


def _is_exported(value: Any) -> bool:
    """Returns whether Keras finds a class or function of its own by name.

    Keras 2 does not find the layers of its applications.
    """
    if not flavors.is_of_keras(value):
        return False
    return ".applications." not in value.__module__
