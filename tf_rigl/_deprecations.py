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
    """Warns about an old name and returns what it stands for.

    Args:
        old: the old name in full.
        moved: where that is now.
    """
    warn(
        f"`{old}` is deprecated since version {moved.since}: use "
        f"`{moved.module}.{moved.name}`.",
        # `follow`, the package's `__getattr__`, and the user's line.
        stacklevel=3,
    )
    return getattr(importlib.import_module(moved.module), moved.name)


def warn(message: str, stacklevel: int) -> None:
    """Warns that something is deprecated.

    Args:
        message: what to use instead, and since which version.
        stacklevel: frames up from the caller to the line to name, the caller
            being 1.
    """
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel + 1)


def moved_arguments(
    places: Mapping[str, str],
    since: str,
    fold: Callable[[Arguments, Arguments], None],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates a function whose arguments have become fields of objects.

    Its signature, and so its documentation, has the new arguments only.

    Args:
        places: what to write instead of each old keyword argument.
        since: the version that moved them.
        fold: a function of the new arguments, by name, and the old ones. It
            puts the old ones' values into the new ones, and raises a
            ValueError if both are passed.
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
    """Returns a `fold` for arguments that have all become fields of one class.

    Args:
        argument: the name of the new argument.
        cls: makes its value of the old arguments.
    """

    def fold(arguments: Arguments, old: Arguments) -> None:
        if arguments.get(argument) is not None:
            raise ValueError(
                f"An argument that is a field of `{argument}` is passed "
                f"there only. Received: {argument}={arguments[argument]!r} "
                f"and {sorted(old)}. Move them into it."
            )
        arguments[argument] = cls(**old)

    return fold
