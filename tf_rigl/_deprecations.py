"""Old names and arguments that still work, with a warning.

A name or an argument that moves keeps working for one minor version at least.
Its warning is a `DeprecationWarning` that points at the caller's line, says
what to write instead and since which version.
"""

import functools
import importlib
import inspect
import warnings
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import ParamSpec
from typing import TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Moved(NamedTuple):
    """The new place of a name."""

    module: str
    name: str
    since: str  # the version that moved it


Arguments = dict[str, Any]


def follow(old: str, moved: Moved) -> Any:
    """Warns about an old name in full and returns what it stands for."""
    warn(
        f"`{old}` is deprecated since version {moved.since}: use "
        f"`{moved.module}.{moved.name}`.",
        # `follow`, the package's `__getattr__`, and the user's line.
        stacklevel=3,
    )
    return getattr(importlib.import_module(moved.module), moved.name)


def warn(message: str, stacklevel: int) -> None:
    """Warns that something is deprecated.

    `stacklevel` counts frames from the caller, 1, to the line to name.
    """
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel + 1)


def moved_arguments(
    places: Mapping[str, str],
    since: str,
    fold: Callable[[Arguments, Arguments], None],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a function whose arguments have become fields of objects.

    Its signature, and so its documentation, has the new arguments only.
    `places` says what to write instead of each old keyword argument, and
    `fold(new, old)` puts the values of the old ones into the new ones; it
    raises a ValueError if both are passed.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def accept_old(*args: P.args, **kwargs: P.kwargs) -> R:
            old = {name: kwargs.pop(name) for name in places if name in kwargs}
            if not old:
                return function(*args, **kwargs)

            for name in old:
                warn(
                    f"`tf_rigl.{function.__name__}({name}=...)` is deprecated "
                    f"since version {since}: pass `{places[name]}`.",
                    stacklevel=2,
                )
            arguments = signature.bind_partial(*args, **kwargs).arguments
            fold(arguments, old)
            return function(**arguments)  # type: ignore[call-arg]

        return accept_old

    return decorate


def fold_into(argument: str, cls: Callable[..., Any]) -> Callable[..., None]:
    """Returns a `fold` of arguments into one object, made by `cls` of them."""

    def fold(arguments: Arguments, old: Arguments) -> None:
        if arguments.get(argument) is not None:
            raise ValueError(
                f"An argument that is a field of `{argument}` is passed "
                f"there only. Received: {argument}={arguments[argument]!r} "
                f"and {sorted(old)}. Move them into it."
            )
        arguments[argument] = cls(**old)

    return fold
