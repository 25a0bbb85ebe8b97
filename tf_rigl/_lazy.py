"""Names of a package that are imported when they are first used (PEP 562)."""

import importlib
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from tf_rigl import _deprecations

Attribute = Callable[[str], Any]
Directory = Callable[[], list[str]]


def index(places: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Returns the module of each name, sorted by name."""
    pairs = [(name, module) for module in places for name in places[module]]
    return dict(sorted(pairs))


def attach(
    package: str,
    places: Mapping[str, str],
    submodules: Collection[str] = (),
    moved: Mapping[str, _deprecations.Moved] | None = None,
) -> tuple[Attribute, Directory]:
    """Makes the `__getattr__` and `__dir__` of a package.

    `places` has the module that defines each public name, `submodules` are
    packages below that need no import of their own, and `moved` are old names
    that still work, with a warning.
    """
    moved = moved or {}

    def find(name: str) -> Any:
        if name in places:
            value = getattr(importlib.import_module(places[name]), name)
        elif name in submodules:
            value = importlib.import_module(f"{package}.{name}")
        elif name in moved:
            # Not remembered: each use warns, and where it is warned about is
            # up to Python's filters.
            return _deprecations.follow(f"{package}.{name}", moved[name])
        else:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}"
            )
        _namespace(package)[name] = value
        return value

    def names() -> list[str]:
        return sorted({*places, *submodules, *_namespace(package)})

    return find, names


def _namespace(package: str) -> dict[str, Any]:
    return vars(importlib.import_module(package))
