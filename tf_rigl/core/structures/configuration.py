"""Registry and serialization of sparsity structures."""

from collections.abc import Mapping
from typing import Any

from tf_rigl.core.structures.rowwise import ConstantFanIn
from tf_rigl.core.structures.rowwise import NByM
from tf_rigl.core.structures.structure import Structure
from tf_rigl.core.structures.tiled import Block
from tf_rigl.core.structures.tiled import Channel
from tf_rigl.core.structures.unstructured import Unstructured

_CLASSES: dict[str, Any] = {
    cls.name: cls for cls in (Unstructured, Block, NByM, ConstantFanIn, Channel)
}


def register(cls: type) -> type:
    """Registers a structure under its name, so that files can store it.

    Register it before masking or loading a model with it, as a decorator:

        @structures.register
        class MyStructure: ...

    Instances must implement `Structure`, and the constructor must accept what
    `get_config` returns. Returns the class itself.

    Raises:
        ValueError: if the name is missing or taken.
    """
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or name in _CLASSES:
        raise ValueError(
            "A structure needs a name of its own. Received: "
            f"{cls.__name__}.name={name!r}; taken are {tuple(_CLASSES)}."
        )
    _CLASSES[name] = cls
    return cls


def as_structure(value: Structure | None) -> Structure:
    """Returns the structure for an argument; None means `Unstructured`.

    Raises:
        TypeError: if `value` is neither None nor a structure.
    """
    if value is None:
        return Unstructured()
    # A class passes the isinstance test of the protocol, too.
    if isinstance(value, type) or not isinstance(value, Structure):
        raise TypeError(
            "A structure must be None or an object such as `NByM(2, 4)`. "
            f"Received: {value!r}."
        )
    return value


def serialize(structure: Structure) -> dict[str, Any]:
    """Returns the structure as plain JSON values.

    >>> serialize(NByM(2, 4))
    {'name': 'n_by_m', 'n': 2, 'm': 4}
    """
    return {"name": structure.name, **structure.get_config()}


def deserialize(config: Mapping[str, Any]) -> Structure:
    """Inverts `serialize`.

    Raises:
        ValueError: if the name is missing or unknown.
    """
    arguments = dict(config)
    name = arguments.pop("name", None)
    if name not in _CLASSES:
        raise ValueError(
            f"The name of a structure must be one of {tuple(_CLASSES)}. "
            f"Received: name={name!r} in {dict(config)}."
        )
    structure: Structure = _CLASSES[name](**arguments)
    return structure
