"""Methods and attributes that are overridden on a single object."""

import functools
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

# Attribute with what was overridden, by name.
OWN = "_tf_rigl_own_methods"


def override(thing: Any, name: str, method: Callable[..., Any]) -> None:
    """Overrides a method of one object.

    Args:
        thing: the object.
        name: name of the method, or of a callable attribute that hides it.
        method: called with the object, the overridden method and the arguments.
    """
    own = getattr(thing, name)
    # Keras inspects the signature and the attributes of `build`.
    put(
        thing,
        {
            name: functools.update_wrapper(
                functools.partial(method, thing, own), own
            )
        },
    )


def put(thing: Any, attributes: Mapping[str, Any]) -> None:
    """Replaces attributes of one object; `restore` undoes it.

    Bypasses the attribute tracking of Keras and TensorFlow.
    """
    instance = thing.__dict__
    own = instance.setdefault(OWN, {})
    own.update({name: instance.get(name) for name in attributes})
    instance.update(attributes)


def restore(thing: Any, *names: str) -> None:
    """Restores attributes that `override` or `put` replaced."""
    instance = thing.__dict__
    methods = instance.get(OWN, {})
    for name in names:
        if name not in methods:
            continue
        own = methods.pop(name)
        del instance[name]
        # None means that the object had the attribute from its class.
        if own is not None:
            instance[name] = own

    if not methods:
        instance.pop(OWN, None)
