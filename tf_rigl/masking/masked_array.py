"""Arrays of values that remember the mask that they were read with.

`get_weights` of a Keras model gives a list of arrays, one a weight, and
`set_weights` takes one: so `EarlyStopping` keeps the best weights, and users
copy models. The mask travels with the array of its weight. Arithmetic makes
plain arrays, which have no mask: the average of two models is no mask.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np


class MaskedArray(np.ndarray):
    """An array with what is kept beside its weight, by name.

    Attributes:
        beside: mask, counters and the method's state, arrays by name; None
            for a slice or the result of a computation.
    """

    beside: Mapping[str, np.ndarray] | None = None

    @classmethod
    def of(
        cls, values: np.ndarray, beside: Mapping[str, np.ndarray]
    ) -> "MaskedArray":
        """Returns a copy of the values that remembers what is beside them."""
        # Not a view: the base of a view of it would be what it views itself.
        array = cls(values.shape, values.dtype)
        array[...] = values
        array.beside = beside
        return array

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any
    ) -> Any:
        """Computes with plain arrays, to a plain array."""
        plain = [_plain(one) for one in inputs]
        outputs = kwargs.get("out", ())
        for one in filter(_is_ours, outputs):
            one.beside = None
        if outputs:
            kwargs["out"] = tuple(map(_plain, outputs))
        return getattr(ufunc, method)(*plain, **kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        """Does the same for NumPy's other functions."""
        del types
        return function(*_plain(args), **_plain(kwargs))

    def copy(self, order: Any = "C") -> Any:
        """Returns a copy that remembers the same."""
        values = self.view(np.ndarray).copy(order)
        return values if self.beside is None else self.of(values, self.beside)

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Any:
        """Copies the values; what is beside them is never written to."""
        return self.copy()

    def __reduce__(self) -> Any:
        """Pickles an array with what it remembers."""
        if self.beside is None:
            return self.view(np.ndarray).__reduce__()
        return MaskedArray.of, (self.view(np.ndarray), dict(self.beside))


def beside(values: Any) -> Mapping[str, np.ndarray]:
    """Returns what an array remembers; nothing for anything else."""
    return getattr(values, "beside", None) or {}


def base_of(values: Any) -> Any:
    """Returns the array of ours that a plain one is a whole view of, if any."""
    base = getattr(values, "base", None)
    is_whole = isinstance(base, MaskedArray) and base.shape == values.shape
    return base if is_whole else values


def _is_ours(thing: Any) -> bool:
    return isinstance(thing, MaskedArray)


def _plain(thing: Any) -> Any:
    """Replaces our arrays in nested arguments by plain ones."""
    if _is_ours(thing):
        return thing.view(np.ndarray)
    if isinstance(thing, (list, tuple)) and any(map(_has_ours, thing)):
        return type(thing)(map(_plain, thing))
    if isinstance(thing, dict):
        return {key: _plain(value) for key, value in thing.items()}
    return thing


def _has_ours(thing: Any) -> bool:
    return _is_ours(thing) or isinstance(thing, (list, tuple))
