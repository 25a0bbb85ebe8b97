"""The guard of a masked weight's values against whoever writes them.

Optimizers are the business of `constraint`. What else writes a weight, from
Python, does so by the variable that Keras hands out: `assign`, `set_weights`,
`load_weights`. These methods are overridden on the variable itself, for eager
calls; in a graph they are what they were.
"""

import functools
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking import masked_array
from tf_rigl.masking.constraint import MaskConstraint
from tf_rigl.masking.storage import Storage
from tf_rigl.masking.storage import assign_unguarded

# The methods of variables that write them; the last two are those of a slice's
# `assign` and of checkpoints.
_WRITERS = (
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


class ValueGuard:
    """Masks what is assigned to a weight; gives arrays that know its mask.

    Args:
        flavor: the Keras of the variable.
        variable: the variable that Keras hands out.
        storage: the weight's values and mask.
        constraint: the weight's, which an update rule lifts when it writes
            values that it masks itself.
        find_beside: returns the variables that belong to the weight's mask,
            by name: `"mask"` and what else is to travel with the values.
    """

    def __init__(
        self,
        flavor: Flavor,
        variable: Any,
        storage: Storage,
        constraint: MaskConstraint,
        find_beside: Callable[[], Mapping[str, tf.Variable]],
    ) -> None:
        self.constraint = constraint
        self._variable = variable
        self._storage = storage
        self._find_beside = find_beside
        self._given = flavor.given_array
        self._can_assign = flavor.can_assign
        # What was written last, unmasked: its mask may be written after it,
        # as files have it.
        self._written: tf.Tensor | None = None

    def put(self) -> None:
        """Overrides methods of the weight's variable and of its mask's."""
        self.constraint.put()
        _override(self._variable, self._settle_values)
        _override(self._find_beside()["mask"], self._settle_mask)
        self._variable.__dict__["numpy"] = self._numpy

    def remove(self) -> None:
        """Undoes `put`."""
        self.constraint.remove()
        for variable in (self._variable, self._find_beside()["mask"]):
            for name in (*_WRITERS, "numpy"):
                variable.__dict__.pop(name, None)

    def settle(self) -> None:
        """Masks whatever has been written past the variable's methods."""
        self._written = None
        self._storage.set_values(self._storage.values())

    def _settle_values(self, value: Any) -> None:
        """Masks what has just been written, by the mask that it brings."""
        if not self._is_guarding():
            return

        variables = self._find_beside()
        for key, array in masked_array.beside(self._given(value)).items():
            known = variables.get(key)
            if known is not None and tuple(known.shape) == array.shape:
                assign_unguarded(known, array)

        written, inactive = self._storage.values(), ~self._storage.mask
        self._storage.set_values(written)
        is_more = bool(tf.reduce_any((written != 0) & inactive))
        self._written = written if is_more else None

    def _settle_mask(self, value: Any) -> None:
        """Masks the values by the mask that has just been written."""
        del value
        if not self._is_guarding():
            return

        written, values = self._written, self._storage.values()
        if written is not None:
            # Unless training has changed the values since.
            is_present = tf.reduce_all((values == written) | (values == 0))
            values = tf.where(is_present, written, values)
        self._storage.set_values(values)
        self._written = None

    def _is_guarding(self) -> bool:
        """Returns whether this is a call from Python, not from a step."""
        replica = tf.distribute.get_replica_context()
        return (
            tf.executing_eagerly()
            and (replica is None or replica.num_replicas_in_sync == 1)
            and self._can_assign()
            and not self.constraint.is_lifted
        )

    def _numpy(self) -> np.ndarray:
        values = type(self._variable).numpy(self._variable)
        beside = {
            key: variable.numpy()
            for key, variable in self._find_beside().items()
        }
        return masked_array.MaskedArray.of(values, beside)


def _override(variable: Any, after: Callable[[Any], None]) -> None:
    """Makes the methods that write a variable call `after` with the value."""
    for name in _WRITERS:
        original = getattr(type(variable), name, None)
        if original is not None:
            variable.__dict__[name] = functools.partial(
                _write, variable, original, after
            )


def _write(
    variable: Any,
    original: Callable[..., Any],
    after: Callable[[Any], None],
    *args: Any,
    **kwargs: Any,
) -> Any:
    result = original(variable, *args, **kwargs)
    # TensorFlow calls it `value` or `delta`.
    after(next(iter((*args, *kwargs.values())), None))
    return result
