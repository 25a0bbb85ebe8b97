"""Arrays of weights that remember the mask they were read with.

`get_weights` of a Keras model returns a list of arrays, and `set_weights`
accepts one; this is how `EarlyStopping` restores the best weights and how users
copy models. Here the mask travels with the array. Arithmetic returns plain
arrays without a mask, because the average of two models has none.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np


class MaskedArray(np.ndarray):
    """Values of a weight together with its mask and state.

    Attributes:
        beside: mask, counters and state of the method, arrays by name; None for
            a slice or the result of a computation.
        checksum: checksum of the values when they were read. NumPy has too many
            ways of writing to an array, also through views, to intercept all of
            them.
    """

    beside: Mapping[str, np.ndarray] | None = None
    checksum: int = 0

    @classmethod
    def of(
        cls, values: np.ndarray, beside: Mapping[str, np.ndarray]
    ) -> "MaskedArray":
        """Returns a copy of `values` with the arrays `beside` attached."""
        # A copy, because NumPy would set the base of a view of a view to the
        # original array, and `base_of` would not find this one.
        array = cls(values.shape, values.dtype)
        array[...] = values
        array.beside = beside
        array.checksum = _checksum(array)
        return array

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any
    ) -> Any:
        """Converts the inputs to plain arrays and returns a plain array."""
        plain = [_plain(value) for value in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(map(_plain, kwargs["out"]))
        return getattr(ufunc, method)(*plain, **kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        """Likewise for all other functions of NumPy."""
        del types
        return function(*_plain(args), **_plain(kwargs))

    def copy(self, order: Any = "C") -> Any:
        """Returns a copy with the same mask and state."""
        values, remembered = self.view(np.ndarray), beside(self)
        return self.of(values, remembered) if remembered else values.copy(order)

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> Any:
        """Copies only the values, since mask and state are never written to."""
        return self.copy()

    def __reduce__(self) -> Any:
        """Pickles the values together with mask and state."""
        values, remembered = self.view(np.ndarray), beside(self)
        if not remembered:
            return values.__reduce__()
        return MaskedArray.of, (values, dict(remembered))


def beside(values: Any) -> Mapping[str, np.ndarray]:
    """Returns the mask and state that an array carries, by name.

    Empty for any other object, and if the values have changed since they were
    read: they are then the result of a computation.
    """
    remembered = getattr(values, "beside", None)
    if not remembered or values.checksum != _checksum(values):
        return {}
    return remembered


def base_of(values: Any) -> Any:
    """Returns the `MaskedArray` that an array is a full view of, if any."""
    base = getattr(values, "base", None)
    is_whole = isinstance(base, MaskedArray) and base.shape == values.shape
    return base if is_whole else values


def _checksum(values: np.ndarray) -> int:
    plain = np.ascontiguousarray(values.view(np.ndarray))
    return zlib.crc32(plain.reshape(-1).view(np.uint8).data)


def _is_ours(thing: Any) -> bool:
    return isinstance(thing, MaskedArray)


def _plain(thing: Any) -> Any:
    """Converts masked arrays in nested arguments to plain ones."""
    if _is_ours(thing):
        return thing.view(np.ndarray)
    if isinstance(thing, (list, tuple)) and any(map(_has_ours, thing)):
        return type(thing)(map(_plain, thing))
    if isinstance(thing, dict):
        return {key: _plain(value) for key, value in thing.items()}
    return thing


def _has_ours(thing: Any) -> bool:
    return _is_ours(thing) or isinstance(thing, (list, tuple))
