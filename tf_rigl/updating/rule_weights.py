"""The masked weights of a model, as an optimizer's update rule sees them."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking.constraint import MaskConstraint
from tf_rigl.masking.constraint import constraint_of
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.storage import assign_masked
from tf_rigl.updating import latent_training
from tf_rigl.updating import method_state
from tf_rigl.updating import slots
from tf_rigl.updating.connections_update import ConnectionSlots
from tf_rigl.updating.slot_guard import SlotGuard

FindRecords = Callable[[], list[MaskedWeight]]


def with_followers(records: list[MaskedWeight]) -> list[MaskedWeight]:
    """Returns records and those of the variables that have their masks."""
    return [one for record in records for one in (record, *record.followers)]


class RuleWeights:
    """Finds and prepares the weights, and warns if other optimizers train them.

    `find_records` returns the model's masked weights, which may not exist
    before its training step is traced. The optimizer may train all or some of
    them; other optimizers then have rules of their own.

    Attributes:
        constraints: the Keras constraints that mask the weights in steps that
            no update rule takes.
        updated: the keys of the weights whose masks or latent values the
            method may change. Those of frozen weights it does not, and those of
            permanently dense ones only if it asks for them.
    """

    def __init__(
        self,
        flavor: Flavor,
        optimizer: Any,
        find_records: FindRecords,
        algorithm: Algorithm,
    ) -> None:
        self.constraints: list[MaskConstraint] = []
        self.updated: frozenset[str] = frozenset()

        self._flavor = flavor
        self._optimizer = optimizer
        self._find_records = find_records
        self._algorithm = algorithm
        self._slot_guards: list[SlotGuard | ConnectionSlots] = []
        self._prepared = False
        self._has_warned = False

    def prepare(self) -> list[MaskedWeight]:
        """Makes values, masks, slots and the method's state consistent.

        Called as soon as the weights exist, and outside of replicas, where
        distributed variables cannot be assigned while the step is traced.
        """
        algorithm = self._algorithm
        records = self._find_records()
        with tf.init_scope():
            method_state.keep(records, algorithm)
            records = self._find_records()
            method_state.check_initial_values(records, algorithm)

            self._watch(with_followers(records))
            for record in records:
                record.guard.settle()

            trained = self._trained(records)
            if algorithm.requirements.latent is not None:
                latent_training.begin(trained, algorithm)
            elif self._flavor.optimizer_is_built(self._optimizer):
                self._guard_slots(records)
                for guard in self._slot_guards:
                    guard.mask()
            self.updated = frozenset(
                self.key(record.variable) for record in trained
            )

        self._prepared = True
        return records

    def release(self) -> None:
        """Leaves the weights, and the slots, to whoever trains them next."""
        for one in self.constraints:
            one.observers.pop(id(self), None)
        for guard in self._slot_guards:
            guard.remove()
        self._slot_guards = []

    def key(self, variable: Any) -> str:
        """Returns a variable's identity, the same for each of its replicas."""
        return self._flavor.variable_key(self._optimizer, variable)

    @functools.cached_property
    def by_key(self) -> dict[str, MaskedWeight]:
        """The masked weights by key, including frozen and dense ones.

        So are the variables that follow a weight.
        """
        if not self._prepared:
            # A model may create its weights only while its step is traced.
            self.prepare()
        return {
            self.key(record.variable): record
            for record in with_followers(self._find_records())
        }

    def find(self, key: str) -> MaskedWeight | None:
        """Returns the masked weight of a variable, None if it is not masked.

        Raises:
            ValueError: if slots of the optimizer cannot be found.
        """
        _ = self._slots_are_found
        return self.by_key.get(key)

    def updated_records(self) -> list[MaskedWeight]:
        """Returns the records of the weights in `updated`."""
        by_key = self.by_key
        return [by_key[key] for key in by_key if key in self.updated]

    def mask_slots(self, record: MaskedWeight, mask: Any) -> None:
        """Zeroes the optimizer's slots of a weight where `mask` is false."""
        for slot in slots.slots_of(self._flavor, self._optimizer, record):
            assign_masked(slot, mask)

    @functools.cached_property
    def _slots_are_found(self) -> bool:
        records = list(self.by_key.values())
        slots.check_all_found(self._flavor, self._optimizer, records)
        # The optimizer may have got its slots in this step only, with values
        # of a checkpoint.
        is_guarded = self._slot_guards or self._algorithm.requirements.latent
        if not is_guarded:
            with tf.init_scope():
                self._guard_slots(self._find_records())
                replica = tf.distribute.get_replica_context()
                if replica is None or replica.num_replicas_in_sync == 1:
                    for guard in self._slot_guards:
                        guard.mask()
        return True

    def _guard_slots(self, records: list[MaskedWeight]) -> None:
        """Keeps the slots masked whatever is written to them from Python."""
        for guard in self._slot_guards:
            guard.remove()
        self._slot_guards = [
            (ConnectionSlots if record.storage.is_compressed else SlotGuard)(
                self._flavor, self._optimizer, record
            )
            for record in with_followers(records)
        ]
        for guard in self._slot_guards:
            guard.put()

    def _trained(self, records: list[MaskedWeight]) -> list[MaskedWeight]:
        """Returns the weights that the method may change.

        Permanently dense weights are included only if the method asks for
        them, or ranks the weights of the whole model together.
        """
        requirements = self._algorithm.requirements
        records = [record for record in records if record.is_trainable]
        sparse = [record for record in records if record.is_sparse]
        takes_all = requirements.dense_weights or (
            sparse and requirements.whole_model
        )
        return records if takes_all else sparse

    def _watch(self, records: list[MaskedWeight]) -> None:
        """Asks the weights' constraints to report optimizers without a rule."""
        found = [constraint_of(record.variable) for record in records]
        self.constraints = [one for one in found if one is not None]
        for one in self.constraints:
            one.check_original_keeps_zeros()
            one.observers[id(self)] = self._warn_of_another_optimizer

    def _warn_of_another_optimizer(self, path: str) -> None:
        if self._has_warned:
            return

        self._has_warned = True
        warnings.warn(
            f"An optimizer trains {path!r} that {self._algorithm.name!r} is "
            "not attached to: the weight keeps its mask as it is. In `fit`, "
            "keep each optimizer as an attribute of the model; otherwise call "
            "`tf_rigl.attach(optimizer, model, algorithm)` for it, too.",
            stacklevel=1,
        )
