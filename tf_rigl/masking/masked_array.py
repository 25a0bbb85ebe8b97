"""Arrays of values that remember the mask that they were read with.

`get_weights` of a Keras model gives a list of arrays, one a weight, and
`set_weights` takes one: so `EarlyStopping` keeps the best weights, and users
copy models. The mask travels with the array of its weight. Arithmetic makes
plain arrays, which have no mask: the average of two models is no mask.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np


class MaskedArray(np.ndarray):
    """An array with what is kept beside its weight, by name.

    Attributes:
        beside: mask, counters and the method's state, arrays by name; None
            for a slice or the result of a computation.
        checksum: of the values as they were read. NumPy has too many ways of
            writing into an array, through its views too, to see all of them.
    """

    beside: Mapping[str, np.ndarray] | None = None
    checksum: int = 0

    @classmethod
    def of(
        cls, values: np.ndarray, beside: Mapping[str, np.ndarray]
    ) -> "MaskedArray":
        """Returns a copy of the values that remembers what is beside them."""
        # Not a view: the base of a view of it would be what it views itself.
        array = cls(values.shape, values.dtype)
        array[...] = values
        array.beside = beside
        array.checksum = _checksum(array)
        return array

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any
    ) -> Any:
        """Computes with plain arrays, to a plain array."""
        plain = [_plain(one) for one in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(map(_plain, kwargs["out"]))
        return getattr(ufunc, method)(*plain, **kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        """Does the same for NumPy's other functions."""
        del types
        return function(*_plain(args), **_plain(kwargs))

    def copy(self, order: Any = "C") -> Any:
        """Returns a copy that remembers the same."""
        values, remembered = self.view(np.ndarray), beside(self)
        return self.of(values, remembered) if remembered else values.copy(order)

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Any:
        """Copies the values; what is beside them is never written to."""
        return self.copy()

    def __reduce__(self) -> Any:
        """Pickles an array with what it remembers."""
        values, remembered = self.view(np.ndarray), beside(self)
        if not remembered:
            return values.__reduce__()
        return MaskedArray.of, (values, dict(remembered))


def beside(values: Any) -> Mapping[str, np.ndarray]:
    """Returns what an array remembers; nothing for anything else.

    Nothing either if its values are not those that were read: they are the
    result of a computation then.
    """
    remembered = getattr(values, "beside", None)
    if not remembered or values.checksum != _checksum(values):
        return {}
    return remembered


def base_of(values: Any) -> Any:
    """Returns the array of ours that a plain one is a whole view of, if any."""
    base = getattr(values, "base", None)
    is_whole = isinstance(base, MaskedArray) and base.shape == values.shape
    return base if is_whole else values


def _checksum(values: np.ndarray) -> int:
    plain = np.ascontiguousarray(values.view(np.ndarray))
    return zlib.crc32(plain.reshape(-1).view(np.uint8).data)


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
