"""The methods that write a variable, overridden on the variable itself."""

import functools
from collections.abc import Callable
from typing import Any

_GATHER = "_gather_saveables_for_checkpoint"

# Methods that write a variable. The last two serve the `assign` of slices and
# the restoring of checkpoints.
_METHODS = (
    "assign",
    "assign_add",
    "assign_sub",
    "batch_scatter_update",
    "scatter_add",
    "scatter_div",
    "scatter_max",
    "scatter_min",
    "scatter_mul",
    "scatter_nd_add",
    "scatter_nd_sub",
    "scatter_nd_update",
    "scatter_sub",
    "scatter_update",
    "_strided_slice_assign",
    "_restore_from_tensors",
)


def override(variable: Any, after: Callable[[Any], None]) -> None:
    """Makes all methods that write a variable call `after` with the value."""
    for name in _METHODS:
        original = getattr(type(variable), name, None)
        if original is not None:
            variable.__dict__[name] = functools.partial(
                _write, variable, original, after
            )
    # Variables of several replicas are restored by objects that they make.
    gather = getattr(type(variable), _GATHER, None)
    if gather is not None and hasattr(variable, "values"):
        variable.__dict__[_GATHER] = functools.partial(
            _gather, variable, gather, after
        )


def restore(variable: Any) -> None:
    """Undoes `override`."""
    for name in (*_METHODS, _GATHER):
        variable.__dict__.pop(name, None)


def _write(
    variable: Any,
    original: Callable[..., Any],
    after: Callable[[Any], None],
    *args: Any,
    **kwargs: Any,
) -> Any:
    result = original(variable, *args, **kwargs)
    # The value is the first argument, whatever TensorFlow names it.
    after(next(iter((*args, *kwargs.values())), None))
    return result


def _gather(
    variable: Any,
    original: Callable[[Any], dict[str, Callable[..., Any]]],
    after: Callable[[Any], None],
) -> dict[str, Callable[..., Any]]:
    return {
        name: functools.partial(_make_saveable, factory, after)
        for name, factory in original(variable).items()
    }


def _make_saveable(
    factory: Callable[..., Any],
    after: Callable[[Any], None],
    *args: Any,
    **kwargs: Any,
) -> Any:
    """Makes what restores a variable, and calls `after` once it has done so."""
    saveable = factory(*args, **kwargs)
    own_restore = saveable.restore

    def restore_and_tell(*args: Any, **kwargs: Any) -> Any:
        result = own_restore(*args, **kwargs)
        after(None)
        return result

    saveable.restore = restore_and_tell
    return saveable
