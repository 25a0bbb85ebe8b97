"""The guard that masks a weight after writes by user code.

`constraint` covers optimizers. All other code that writes a weight from Python
uses the methods of the variable that Keras exposes: `assign`, `set_weights`,
`load_weights`. They are overridden on the variable itself (`writers`) for eager
calls; inside a graph they behave as before.
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking import masked_array
from tf_rigl.masking import writers
from tf_rigl.masking.constraint import MaskConstraint
from tf_rigl.masking.storage import Storage
from tf_rigl.masking.storage import assign_unguarded
from tf_rigl.masking.storage import masked


class ValueGuard:
    """Masks values assigned to a weight, and reads arrays with their mask.

    Args:
        flavor: the Keras of the variable.
        variable: the variable that Keras exposes.
        storage: the weight's values and mask.
        constraint: the weight's mask constraint, which an update rule lifts
            while it writes values that it masks itself.
        find_beside: returns the variables that belong to the weight's mask by
            name: `"mask"` and others that travel with the values.
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
        # Called after the mask was written, by the listener's identity.
        self.listeners: dict[int, Callable[[], None]] = {}
        # The guards of variables that have the same mask, by their names.
        self.followers: dict[str, ValueGuard] = {}
        # The unmasked values written last. When a file is loaded, their mask
        # is written after them.
        self._written: tf.Tensor | None = None

    def put(self) -> None:
        """Overrides the writing methods of the weight and of its mask."""
        self.put_on_values()
        writers.override(self._find_beside()["mask"], self._settle_mask)
        self._variable.__dict__["numpy"] = self._numpy
        for follower in self.followers.values():
            follower.put_on_values()

    def put_on_values(self) -> None:
        """Overrides the writing methods of the weight alone."""
        self.constraint.put()
        writers.override(self._variable, self._settle_values)

    def remove(self) -> None:
        """Undoes `put`."""
        writers.restore(self._find_beside()["mask"])
        for guard in (self, *self.followers.values()):
            guard.remove_from_values()

    def remove_from_values(self) -> None:
        """Undoes `put_on_values`."""
        self.constraint.remove()
        writers.restore(self._variable)
        self._variable.__dict__.pop("numpy", None)

    def settle(self) -> None:
        """Masks values that were written without the variable's methods."""
        self._written = None
        self._storage.set_values(self._storage.values())
        for follower in self.followers.values():
            follower.settle()

    def _settle_values(self, value: Any) -> None:
        """Masks values just written, with the mask that they carry, if any."""
        if not self.is_guarding():
            return

        variables = self._find_beside()
        beside = masked_array.beside(self._given(value))
        for key, array in beside.items():
            known = variables.get(key)
            if known is not None and tuple(known.shape) == array.shape:
                assign_unguarded(known, array)

        written, inactive = self._storage.values(), ~self._storage.mask
        self._storage.set_values(written)
        is_more = bool(tf.reduce_any((written != 0) & inactive))
        if is_more:
            self._written = written
        elif self._written is not None:
            # A write may come by one method of the variable and then another.
            left = masked(self._written, self._storage.mask)
            if not bool(tf.reduce_all(written == left)):
                self._written = None
        if beside:
            self.tell()

    def tell(self) -> None:
        """Tells followers and listeners that the mask was written."""
        for follower in self.followers.values():
            follower._settle_mask(None)
        for listener in list(self.listeners.values()):
            listener()

    def _settle_mask(self, value: Any) -> None:
        """Masks the values with the mask just written."""
        del value
        if not self.is_guarding():
            return

        written, values = self._written, self._storage.values()
        if written is not None:
            # Restores unmasked values unless training has changed them since.
            is_present = tf.reduce_all((values == written) | (values == 0))
            values = tf.where(is_present, written, values)
        self._storage.set_values(values)
        self._written = None
        self.tell()

    def is_guarding(self) -> bool:
        """Returns whether this is an eager call outside of a training step."""
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


class ConnectionsGuard(ValueGuard):
    """Reads arrays of a weight's connections together with their index.

    The weight has no masked positions that a write could reach.
    """

    def put_on_values(self) -> None:
        """Overrides the writing methods of the values."""
        writers.override(self._variable, self._settle_values)

    def put(self) -> None:
        """Overrides the writing and reading methods of the values."""
        self.put_on_values()
        self._variable.__dict__["numpy"] = self._numpy

    def remove(self) -> None:
        """Undoes `put`."""
        writers.restore(self._variable)
        self._variable.__dict__.pop("numpy", None)

    def settle(self) -> None:
        """Forgets what was loaded for a mask that has not come."""
        storage: Any = self._storage
        storage.connections.settle()

    def _settle_values(self, value: Any) -> None:
        """Sets the index that the values just written carry, if any."""
        if not self.is_guarding():
            return

        variables = self._find_beside()
        beside = masked_array.beside(self._given(value))
        present = {key: variables[key] for key in beside if key in variables}
        if any(
            tuple(present[key].shape) != beside[key].shape for key in present
        ):
            return
        storage: Any = self._storage
        before = storage.connections.positions().numpy()
        for key, variable in present.items():
            assign_unguarded(variable, beside[key])
        if present:
            storage.connections.moved_from(before)
            self.tell()
