"""The guard that masks optimizer slots after writes by user code.

A slot that is not zero where its weight is masked, as after the state of a
dense model was restored into an attached optimizer, moves the weight there in
every step.
"""

from typing import Any

from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking import writers
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.storage import assign_masked
from tf_rigl.updating import slots


class SlotGuard:
    """Keeps the slots of one weight masked, whatever is written to them.

    Args:
        flavor: the Keras of the optimizer.
        optimizer: a built optimizer that owns its update rule.
        record: the masked weight.
    """

    def __init__(
        self, flavor: Flavor, optimizer: Any, record: MaskedWeight
    ) -> None:
        self._raw = flavor.raw
        self._record = record
        self._slots = [
            slot
            for slot in slots.slots_of(flavor, optimizer, record)
            if flavor.has_value(slot)
        ]

    def put(self) -> None:
        """Overrides the writing methods of the slots and watches the mask."""
        for slot in self._slots:
            writers.override(slot, self._settle)
        self._record.guard.listeners[id(self)] = self.mask

    def remove(self) -> None:
        """Undoes `put`."""
        for slot in self._slots:
            writers.restore(slot)
        self._record.guard.listeners.pop(id(self), None)

    def mask(self) -> None:
        """Zeroes the slots where the weight is masked.

        Those that are made while a step is traced have no values before it
        ends.
        """
        for slot in self._slots:
            if self._raw(slot).is_initialized():
                assign_masked(slot, self._record.mask)

    def _settle(self, value: Any) -> None:
        del value
        # A step of the optimizer itself, which lifts the weight's constraint,
        # keeps the zeros.
        if self._record.guard.is_guarding():
            self.mask()
