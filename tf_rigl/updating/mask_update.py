"""A mask update, from the method's answer to variables and slots."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import StepInfo
from tf_rigl.algorithms import WeightUpdate
from tf_rigl.algorithms import WeightView
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
    """A masked weight in a step, on one replica."""

    record: MaskedWeight  # the weight
    variable: Any  # the replica's variable
    gradient: tf.Tensor  # dense, of the weight's shape

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
        """Returns the present values, inactive ones where they are trained.

        Weight decay has acted on the active ones since they were stored.
        """
        values = self.storage.values()
        inactive = self.record.state.get(INACTIVE_VALUES)
        if inactive is None:
            return values
        return tf.where(self.mask, values, tf.convert_to_tensor(inactive))

    def as_view(self) -> WeightView:
        """Returns the weight as a method sees it."""
        record = self.record
        return WeightView(
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

    def observe(self, algorithm: Algorithm, when: StepInfo) -> None:
        """Shows a step to a method, which may change its state."""
        for name, value in algorithm.observe(self.as_view(), when).items():
            self.record.state[name].assign(self.record.unview(value))

    def latent(
        self, algorithm: Algorithm, view: WeightView, values: tf.Tensor
    ) -> tf.Tensor:
        """Returns what the optimizer trains in place of the weight.

        `values` are `all_values`, which are trained by default.
        """
        if not _overrides(algorithm, "latent"):
            return values
        return self._unview(algorithm.latent(view))

    def deployed(
        self,
        algorithm: Algorithm,
        view: WeightView,
        mask: tf.Tensor,
        latent: tf.Tensor,
    ) -> tf.Tensor:
        """Returns what the weight holds, but for zeros outside the mask.

        `view` is as the method has seen it, `mask` counts, `latent` is trained.
        """
        if not _overrides(algorithm, "deployed"):
            return latent

        view = view._replace(mask=self.record.view(mask))
        return self._unview(algorithm.deployed(view, self.record.view(latent)))

    def _unview(self, values: tf.Tensor) -> tf.Tensor:
        return self.record.unview(tf.cast(values, self.variable.dtype))


def _overrides(algorithm: Algorithm, hook: str) -> bool:
    """Returns whether a method has a hook of its own.

    Views of structured weights take a pass over the memory each, in every
    step, which the default does not need.
    """
    return getattr(type(algorithm), hook) is not getattr(Algorithm, hook)


def update_masks(
    flavor: Flavor,
    optimizer: Any,
    weights: list[StepWeight],
    algorithm: Algorithm,
    when: StepInfo,
) -> None:
    """Updates the masks of all weights of a replica.

    A weight with a gradient that is not finite keeps its mask; where a method
    looks at all weights, all keep theirs. Otherwise large weights come one
    after the other, so that they do not hold their intermediate results, some
    twenty bytes an element, at the same time.
    """
    whole_model = algorithm.requirements.whole_model
    groups = [weights] if whole_model else [[weight] for weight in weights]
    before: list[tf.Tensor] = []
    for group in groups:
        is_large = not whole_model and group[0].record.size >= _LARGE
        with tf.control_dependencies(before if is_large else []):
            finite = [
                tf.reduce_all(tf.math.is_finite(w.gradient)) for w in group
            ]
            if whole_model:
                finite = [tf.reduce_all(tf.stack(finite))] * len(group)

            views = [weight.as_view() for weight in group]
            results = algorithm.update(views, when)

            grown = []
            for weight, view, result, is_finite in zip(
                group, views, results, finite, strict=True
            ):
                new = _apply(weight, view, result, is_finite, algorithm)
                _apply_to_slots(
                    flavor, optimizer, weight, result, new, algorithm
                )
                grown.append(new)
        # What grows is computed late in an update.
        if is_large:
            before = grown


def prune_before_first_batch(
    records: list[MaskedWeight], algorithm: Algorithm
) -> None:
    """Prunes a model that is still dense, whose latent values are trained.

    Run once, eagerly. A model that has masks, being resumed, is left alone.
    """
    requirements = algorithm.requirements
    state, whole_model = requirements.latent, requirements.whole_model
    has_masks = not all(np.all(record.mask.numpy()) for record in records)
    if state is None or has_masks:
        return

    start = StepInfo(*[tf.constant(0, tf.int64)] * 3)
    weights = [StepWeight.without_gradient(record) for record in records]
    for weight in weights:
        values = weight.record.values()
        latent = weight.latent(algorithm, weight.as_view(), values)
        weight.record.state[state].assign(latent)

    groups = [weights] if whole_model else [[weight] for weight in weights]
    for group in groups:
        views = [weight.as_view() for weight in group]
        results = algorithm.update(views, start)
        for weight, view, result in zip(group, views, results, strict=True):
            record = weight.record
            latent = weight.latent(algorithm, view, weight.all_values())
            mask = record.unview(result.masks.mask)
            values = weight.deployed(algorithm, view, mask, latent)
            record.set_mask(mask, values)
            for name, value in result.state.items():
                record.state[name].assign(record.unview(value))


def _apply(
    weight: StepWeight,
    view: WeightView,
    result: WeightUpdate,
    finite: tf.Tensor,
    algorithm: Algorithm,
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
    elif algorithm.requirements.latent is not None:
        values = weight.deployed(
            algorithm, view, mask, weight.latent(algorithm, view, values)
        )

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
    """Zeroes the slots of dropped connections, initializes those of grown."""
    record, mask = weight.record, weight.mask
    if algorithm.requirements.latent is not None:
        # All positions train; only the average of the weights is masked.
        for average in slots.average_of(flavor, optimizer, record):
            assign_masked(average, mask)
        return

    # What grows may have stale state: one restored or assigned since.
    kept = mask & ~grown
    for slot in slots.slots_of(flavor, optimizer, record):
        values = masked(slot, kept)

        # An accumulator that divides must not begin at 0, whatever the method
        # would have momentum begin at.
        fresh = slots.fresh_value(optimizer, slot)
        if fresh:
            values = tf.where(grown, tf.cast(fresh, values.dtype), values)
        elif result.new_slot_gradients is not None:
            momentum = slots.momentum_of_gradient(
                optimizer,
                slot,
                tf.cast(record.unview(result.new_slot_gradients), values.dtype),
            )
            if momentum is not None:
                values = tf.where(grown, momentum, values)

        slot.assign(values)
