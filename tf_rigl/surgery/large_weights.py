"""Large weights of new layers: without random values, filled in parts.

Fresh memory costs more time than what is computed in it, and a layer of a
hundred million weights would need it several times: for random values and
their intermediate results, for the cut values, and for their copy as a tensor.
"""

import math
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors

_LARGE = 1 << 20  # elements
_ROWS = 256  # rows that are cut together
_INITIALIZER = "_initializer"

Kept = Mapping[int, np.ndarray]  # by the axis, the indices of what is left


def start_at_zero(
    flavor: flavors.Flavor, layer: Any, config: dict[str, Any]
) -> None:
    """Lets weights of a new layer start at zero that are large or that fit.

    Large ones would take random values, and a constant array, such as an
    embedding from a file, has the shape of the old weight. `config` is that of
    the new layer; see `restore_initializers`.
    """
    zeros = flavor.keras.initializers.Zeros()
    for name in _initializers(layer):
        if config.get(name) is not None:
            serialized = flavor.keras.initializers.serialize(zeros)
            config[name] = serialized


def restore_initializers(
    old: Any, new: Any, cut: Callable[[str, np.ndarray], np.ndarray]
) -> None:
    """Gives a new layer the initializers of the old one.

    `cut` returns what is left of an array of a weight's shape, by its name.
    """
    for name in _initializers(old):
        initializer = getattr(old, name)
        if _holds_array(initializer):
            value = cut(name.removesuffix(_INITIALIZER), initializer.value)
            initializer = type(initializer)(value)
        elif hasattr(initializer, "get_config"):
            # As read from a configuration, with a random seed of its own.
            initializer = type(initializer).from_config(
                initializer.get_config()
            )
        setattr(new, name, initializer)


def _initializers(layer: Any) -> Iterator[str]:
    """Yields the attributes of a layer that initialize such weights.

    A class of the user may expect initializers of its own.
    """
    if not flavors.is_of_keras(flavors.plain_class(layer)):
        return
    for name in [one for one in vars(layer) if one.endswith(_INITIALIZER)]:
        weight = getattr(layer, name.removesuffix(_INITIALIZER), None)
        is_large = math.prod(getattr(weight, "shape", (0,))) >= _LARGE
        if is_large or _holds_array(getattr(layer, name)):
            yield name


def _holds_array(initializer: Any) -> bool:
    return np.ndim(getattr(initializer, "value", 0)) > 0


def parts(value: np.ndarray, kept: Kept) -> Iterator[np.ndarray]:
    """Yields what is left of some rows of an array at a time."""
    rows = kept.get(0)
    for start in range(0, len(value if rows is None else rows), _ROWS):
        places = slice(start, start + _ROWS)
        # All rows are a view, and no copy.
        part = value[places if rows is None else rows[places]]
        for axis, indices in kept.items():
            if axis:
                # All indices exist; "clip" does not check them.
                part = np.take(part, indices, axis, mode="clip")
        yield part


def assign_parts(variable: tf.Variable, value: np.ndarray, kept: Kept) -> None:
    """Assigns what is left of an array to a variable, in place."""
    start = 0
    for part in parts(value, kept):
        stop = start + len(part)
        # Unlike an assignment to a slice, this does not read the variable,
        # which would make a copy of all of it.
        rows = tf.range(start, stop)
        variable.scatter_update(tf.IndexedSlices(part, rows))
        start = stop


def is_large(value: np.ndarray) -> bool:
    """Returns whether an array is one to assign in parts."""
    return value.size >= _LARGE
