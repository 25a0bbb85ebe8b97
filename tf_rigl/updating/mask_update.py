"""A mask update, from the method's answer to variables and slots."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import Weight
from tf_rigl.algorithms import WeightUpdate
from tf_rigl.algorithms import When
from tf_rigl.backend.flavor import Flavor
from tf_rigl.core.diagnostics import MaskChange
from tf_rigl.masking import mask_history
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.storage import Storage
from tf_rigl.masking.storage import assign_masked
from tf_rigl.masking.storage import masked
from tf_rigl.updating import slots
from tf_rigl.updating.method_state import INACTIVE_VALUES

# Elements from which on a weight is updated after the others. Below, its
# memory does not matter, and waiting would take time.
_LARGE = 2**20


@dataclasses.dataclass(frozen=True, eq=False)
class StepWeight:
    """A masked weight in a step, on one replica.

    Attributes:
        record: the weight.
        variable: the replica's variable.
        gradient: dense, of the weight's shape.
    """

    record: MaskedWeight
    variable: Any
    gradient: tf.Tensor

    @classmethod
    def without_gradient(cls, record: MaskedWeight) -> "StepWeight":
        """Returns a weight outside of any step, for a method to look at."""
        gradient = tf.zeros(record.shape, record.dtype)
        return cls(record, record.storage.variable, gradient)

    @property
    def storage(self) -> Storage:
        """The weight's, with the values of this replica."""
        return self.record.storage.on(self.variable)

    @property
    def mask(self) -> tf.Tensor:
        """The present mask."""
        return self.record.mask

    def all_values(self) -> tf.Tensor:
        """The present values, inactive ones where they are trained.

        Weight decay has acted on the active ones since they were stored.
        """
        values = self.storage.values()
        inactive = self.record.state.get(INACTIVE_VALUES)
        if inactive is None:
            return values
        return tf.where(self.mask, values, tf.convert_to_tensor(inactive))

    def seen(self) -> Weight:
        """The weight as a method sees it."""
        record = self.record
        return Weight(
            key=record.key,
            target=record.target,
            structure=record.structure,
            values=record.view(self.all_values()),
            mask=record.view(self.mask),
            gradient=record.view(self.gradient),
            state={
                name: record.view(tf.convert_to_tensor(variable))
                for name, variable in record.state.items()
            },
        )

    def observe(self, algorithm: Algorithm, when: When) -> None:
        """Lets a method see a step."""
        for name, value in algorithm.observe(self.seen(), when).items():
            self.record.state[name].assign(self.record.unview(value))


def update_masks(
    flavor: Flavor,
    optimizer: Any,
    weights: list[StepWeight],
    algorithm: Algorithm,
    when: When,
) -> None:
    """One mask update of all weights of a replica.

    A weight with a gradient that is not finite keeps its mask; where a method
    looks at all weights, all keep theirs. Otherwise large weights come one
    after the other, so that they do not hold their intermediate results, some
    twenty bytes an element, at the same time.
    """
    if algorithm.whole_model:
        _update_together(flavor, optimizer, weights, algorithm, when)
        return
    before: list[tf.Tensor] = []
    for weight in weights:
        large = weight.record.size >= _LARGE
        with tf.control_dependencies(before if large else []):
            done = _update_together(
                flavor, optimizer, [weight], algorithm, when
            )
        if large:
            before = done


def _update_together(
    flavor: Flavor,
    optimizer: Any,
    weights: list[StepWeight],
    algorithm: Algorithm,
    when: When,
) -> list[tf.Tensor]:
    """Updates one weight, or all; returns what is computed late in it."""
    finite = [tf.reduce_all(tf.math.is_finite(w.gradient)) for w in weights]
    if algorithm.whole_model:
        finite = [tf.reduce_all(tf.stack(finite))] * len(weights)
    results = algorithm.update([weight.seen() for weight in weights], when)
    moved = []
    for weight, result, is_finite in zip(weights, results, finite, strict=True):
        grown = _apply(weight, result, is_finite)
        _apply_to_slots(flavor, optimizer, weight, result, grown, algorithm)
        moved.append(grown)
    return moved


def prune_before_first_batch(
    records: list[MaskedWeight], algorithm: Algorithm
) -> None:
    """Prunes a model that is still dense, all of whose values are trained.

    Run once, eagerly. A model that has masks, being resumed, is left alone.
    """
    if not all(np.all(record.mask.numpy()) for record in records):
        return
    start = When(tf.constant(0, tf.int64), tf.constant(0, tf.int64))
    weights = [StepWeight.without_gradient(record) for record in records]
    for weight in weights:
        weight.record.state[INACTIVE_VALUES].assign(weight.record.values())
    groups = [weights] if algorithm.whole_model else [[w] for w in weights]
    for group in groups:
        results = algorithm.update([weight.seen() for weight in group], start)
        for weight, result in zip(group, results, strict=True):
            record = weight.record
            values = weight.all_values()
            record.set_mask(record.unview(result.masks.mask), values)
            for name, value in result.state.items():
                record.state[name].assign(record.unview(value))


def _apply(
    weight: StepWeight, result: WeightUpdate, finite: tf.Tensor
) -> tf.Tensor:
    """Sets mask, values, counters and state; returns what has grown."""
    record = weight.record
    old_mask, old_values = weight.mask, weight.all_values()
    mask = tf.where(finite, record.unview(result.masks.mask), old_mask)
    grown = mask & ~old_mask
    values = old_values
    if result.values is not None:
        new_values = tf.cast(record.unview(result.values), values.dtype)
        values = tf.where(grown, new_values, values)
    weight.storage.set(mask, values)
    change = MaskChange.between(old_mask, mask)
    mask_history.record_update(
        record, change, mask, grown, weight.gradient, finite
    )
    for name, value in result.state.items():
        record.state[name].assign(record.unview(value))
    record.counters.assign_add(
        tf.stack(
            [
                tf.cast(finite, tf.int64),
                change.connections - change.kept,
                tf.cast(~finite, tf.int64),
            ]
        )
    )
    return grown


def _apply_to_slots(
    flavor: Flavor,
    optimizer: Any,
    weight: StepWeight,
    result: WeightUpdate,
    grown: tf.Tensor,
    algorithm: Algorithm,
) -> None:
    """Slots of dropped connections go to 0, those of new ones begin anew."""
    record, mask = weight.record, weight.mask
    if algorithm.trains_inactive:
        # All positions train; only the average of the weights is masked.
        for average in slots.average_of(flavor, optimizer, record):
            assign_masked(average, mask)
        return
    for slot in slots.slots_of(flavor, optimizer, record):
        values = masked(slot, mask)
        fresh = slots.fresh_value(optimizer, slot)
        if fresh:
            values = tf.where(grown, tf.cast(fresh, values.dtype), values)
        elif result.fresh_slots is not None:
            new = slots.momentum_of_gradient(
                optimizer,
                slot,
                tf.cast(record.unview(result.fresh_slots), values.dtype),
            )
            if new is not None:
                values = tf.where(grown, new, values)
        slot.assign(values)
