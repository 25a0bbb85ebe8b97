"""Methods that are overridden on one object, and given back."""

import functools
from collections.abc import Callable
from typing import Any

_OWN = "_tf_rigl_own_methods"


def override(thing: Any, name: str, method: Callable[..., Any]) -> None:
    """Overrides a method of one object.

    Args:
        thing: the object. Its `__dict__` is written, past the attribute
            tracking of Keras and TensorFlow.
        name: of the method, or of a callable attribute that hides it.
        method: called with the object, what it overrides, and the arguments.
    """
    instance = thing.__dict__
    instance.setdefault(_OWN, {})[name] = instance.get(name)
    own = getattr(thing, name)
    # Keras looks at the signature and at attributes of `build`.
    instance[name] = functools.update_wrapper(
        functools.partial(method, thing, own), own
    )


def restore(thing: Any, name: str) -> None:
    """Undoes `override`; nothing if the method is not overridden."""
    instance = thing.__dict__
    methods = instance.get(_OWN, {})
    if name not in methods:
        return

    own = methods.pop(name)
    del instance[name]
    if own is not None:
        instance[name] = own
    if not methods:
        del instance[_OWN]
