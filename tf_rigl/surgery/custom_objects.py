"""Parts of a model that its Keras does not know by name."""

import types
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import tree


def custom_objects(flavor: flavors.Flavor, model: Any) -> dict[str, Any]:
    """Collects classes and functions of a model that need not be registered.

    The classes of its layers, and the functions and the classes of objects
    in their attributes, such as activations and regularizers, by name.
    """
    found: dict[str, Any] = {}
    for node in tree.walk(flavor, model):
        values: list[Any] = [flavors.plain_class(node.layer)]
        for value in vars(node.layer).values():
            if isinstance(value, types.FunctionType):
                values.append(value)
            elif hasattr(value, "get_config"):
                values.append(flavors.plain_class(value))
        found.update(
            (value.__name__, value)
            for value in values
            if value.__module__.partition(".")[0] not in flavors.PACKAGES
        )
    return found
