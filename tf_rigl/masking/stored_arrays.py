"""Dense arrays in files of Keras, written and read in pieces.

Files hold a weight and its mask as dense arrays, whichever way the weight is
stored, so that every model of the same layers can load them. What only lists
its connections writes large arrays chunk by chunk, compressed, and reads them
likewise: the memory is that of a chunk, and a file hardly longer than the list.
"""

import math
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np

# Elements of a chunk at most, and below which an array is written whole.
CHUNK = 2**20


class StoredArray:
    """An array in the part of a file that belongs to one layer."""

    def __init__(self, store: Any, key: str) -> None:
        self._store = store
        self._key = key
        group = _group(store)
        # Another kind of store, such as that of `.npz` files, has arrays.
        self._data = store[key] if group is None else group[key]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self._data.shape)

    def read(self) -> np.ndarray:
        """Returns the whole array."""
        return np.asarray(self._store[self._key])

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields where each piece of the flat array begins, and the piece."""
        for start, place in _pieces(self.shape):
            yield start, np.asarray(self._data[place]).reshape(-1)


def write(
    store: Any,
    key: str,
    shape: Sequence[int],
    positions: np.ndarray,
    values: np.ndarray,
) -> None:
    """Writes a dense array of which only some elements are not 0.

    Args:
        store: what Keras passes to `save_own_variables`.
        key: the array's key there.
        shape: its shape.
        positions: int64 [n], flat positions in ascending order.
        values: the elements there, [n].
    """
    group = _group(store) if math.prod(shape) > CHUNK else None
    if group is None:
        flat = np.zeros(math.prod(shape), values.dtype)
        flat[positions] = values
        store[key] = flat.reshape(shape)
        return

    if _group_is_missing(store):
        # Keras makes the group with the first array.
        store[key] = np.zeros([], values.dtype)
        group = _group(store)
        del group[key]
    data = group.create_dataset(
        key,
        shape=tuple(shape),
        dtype=values.dtype,
        chunks=_sizes(next(_pieces(shape))[1]),
        compression="gzip",
        compression_opts=1,
    )
    for start, place in _pieces(shape):
        sizes = _sizes(place)
        first, end = np.searchsorted(
            positions, (start, start + math.prod(sizes))
        )
        if first < end:
            block = np.zeros(math.prod(sizes), values.dtype)
            block[positions[first:end] - start] = values[first:end]
            data[place] = block.reshape(sizes)


def _pieces(shape: Sequence[int]) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Yields contiguous pieces of an array: their begin and their place."""
    # The first axis of which one index has no more than a chunk.
    inner = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    split = next(
        (axis for axis, size in enumerate(inner) if size <= CHUNK), len(shape)
    )
    if split == len(shape):
        yield 0, ()
        return
    step = max(1, CHUNK // max(inner[split], 1))
    for outer in np.ndindex(*shape[:split]):
        begin = sum(
            index * size for index, size in zip(outer, inner, strict=False)
        )
        for first in range(0, shape[split], step):
            end = min(first + step, shape[split])
            yield (
                begin + first * inner[split],
                (
                    *(slice(index, index + 1) for index in outer),
                    slice(first, end),
                    *(slice(0, size) for size in shape[split + 1 :]),
                ),
            )


def _sizes(place: tuple[slice, ...]) -> tuple[int, ...]:
    return tuple(one.stop - one.start for one in place)


def _group(store: Any) -> Any:
    """Returns the HDF5 group behind a store of either Keras, or None."""
    if type(store).__name__ == "ShardedH5IOStore":
        return None
    group = getattr(store, "_h5_entry_group", getattr(store, "group", store))
    is_group = hasattr(group, "create_dataset") or _group_is_missing(store)
    return group if is_group else None


def _group_is_missing(store: Any) -> bool:
    """Returns whether Keras 3 has yet to make the group that it writes to."""
    is_made = getattr(store, "_h5_entry_initialized", True)
    return not is_made and getattr(store, "mode", "") == "w"
