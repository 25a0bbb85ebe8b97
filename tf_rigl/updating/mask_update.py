"""One mask update: assigns the masks that a method returns, and their slots."""

import dataclasses
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import StepInfo
from tf_rigl.algorithms import WeightUpdate
from tf_rigl.algorithms import WeightView
from tf_rigl.backend import conditionals
from tf_rigl.backend.flavor import Flavor
from tf_rigl.core.diagnostics import MaskChange
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.masking import mask_history
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.storage import Storage
from tf_rigl.masking.storage import assign_masked
from tf_rigl.masking.storage import masked
from tf_rigl.updating import connections_update
from tf_rigl.updating import slots
from tf_rigl.updating.growth import Growth
from tf_rigl.updating.method_state import INACTIVE_VALUES

# Weights of at least this many elements are updated one after the other. The
# memory for smaller ones does not matter, and waiting would take time.
_LARGE = 2**20


@dataclasses.dataclass(frozen=True, eq=False)
class StepWeight:
    """A masked weight in one step, as one replica holds it."""

    record: MaskedWeight
    variable: Any  # the replica's variable
    # Dense, of the weight's shape, or of its connections.
    gradient: Any
    # Candidates for growth, of a weight that is stored by its connections.
    growth: Growth | None = None

    @classmethod
    def without_gradient(cls, record: MaskedWeight) -> "StepWeight":
        """Makes one with a zero gradient, for use outside of any step."""
        gradient = tf.zeros(record.shape, record.dtype)
        return cls(record, record.storage.variable, gradient)

    @property
    def storage(self) -> Storage:
        """The weight's storage, with the values of this replica."""
        return self.record.storage.on(self.variable)

    @property
    def mask(self) -> tf.Tensor:
        """The current mask, bool, of the weight's shape."""
        return self.record.mask

    def all_values(self) -> tf.Tensor:
        """Returns the current values, with inactive ones if they are trained.

        The variable has the active values, which include weight decay; the
        method's state has the inactive ones.
        """
        values = self.storage.values()
        inactive = self.record.state.get(INACTIVE_VALUES)
        if inactive is None:
            return values
        return tf.where(self.mask, values, tf.convert_to_tensor(inactive))

    def as_view(self) -> WeightView:
        """Returns the view of the weight that a method receives."""
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
            fan_in=record.fan_in,
            least=record.least,
        )

    def observe(self, algorithm: Algorithm, when: StepInfo) -> None:
        """Lets a method observe a step and update its state."""
        for name, value in algorithm.observe(self.as_view(), when).items():
            self.record.state[name].assign(self.record.unview(value))

    def latent(
        self, algorithm: Algorithm, view: WeightView, values: tf.Tensor
    ) -> tf.Tensor:
        """Returns the latent values, which the optimizer trains.

        By default they are `values`, the result of `all_values`.
        """
        if not overrides(algorithm, "latent"):
            return values
        return self._unview(algorithm.latent(view))

    def deployed(
        self,
        algorithm: Algorithm,
        view: WeightView,
        mask: tf.Tensor,
        latent: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the values that the weight holds where the mask is true.

        The method sees `view` with its mask replaced by `mask`. By default the
        weight holds the trained values, `latent`.
        """
        if not overrides(algorithm, "deployed"):
            return latent

        view = view._replace(mask=self.record.view(mask))
        return self._unview(algorithm.deployed(view, self.record.view(latent)))

    def _unview(self, values: tf.Tensor) -> tf.Tensor:
        return self.record.unview(tf.cast(values, self.variable.dtype))


def overrides(algorithm: Algorithm, hook: str) -> bool:
    """Returns whether a method overrides a hook of `Algorithm`.

    The defaults are not called: each view of a structured weight would cost a
    pass over its memory in every step.
    """
    return getattr(type(algorithm), hook) is not getattr(Algorithm, hook)


def follow(flavor: Flavor, optimizer: Any, weight: StepWeight) -> None:
    """Zeroes values and slots where the mask that it has is now false."""
    weight.storage.set_values(weight.storage.values())
    mask = weight.mask
    for slot in slots.slots_of(flavor, optimizer, weight.record):
        values = masked(slot, mask)
        fresh = slots.fresh_value(optimizer, slot)
        if fresh:  # 0 only where the mask has just become true
            start = tf.cast(fresh, values.dtype)
            values = tf.where(mask & (values == 0), start, values)
        slot.assign(values)


def moment(
    schedule: UpdateSchedule | None, step: tf.Tensor, time: tf.Tensor
) -> StepInfo:
    """Returns the `StepInfo` of a step; its index is -1 without a schedule."""
    if schedule is None:
        return StepInfo(tf.constant(-1, tf.int64), step, time)
    return StepInfo(schedule.update_index(time), step, time)


def observe(
    weights: list[StepWeight],
    algorithm: Algorithm,
    schedule: UpdateSchedule | None,
    now: tuple[tf.Tensor, tf.Tensor],
) -> None:
    """Lets a method observe the step, if it is one of those that it observes.

    `now` is the number of optimizer steps, in all and since the schedule began.
    """

    def observe_all() -> tf.Tensor:
        when = moment(schedule, *now)
        for weight in weights:
            weight.observe(algorithm, when)
        return conditionals.no_op()

    steps = algorithm.requirements.observed_steps
    if steps is None:
        observe_all()
    elif schedule is not None and weights:
        near = schedule.is_near_update(now[1], steps)
        tf.cond(near, observe_all, conditionals.no_op)


def update_masks(
    flavor: Flavor,
    optimizer: Any,
    weights: list[StepWeight],
    algorithm: Algorithm,
    when: StepInfo,
) -> None:
    """Updates the masks of all weights of a replica.

    A weight with a non-finite gradient keeps its mask. If the method ranks all
    weights together, one such gradient makes all of them keep their masks.
    Otherwise large weights are updated one after the other, since intermediate
    results take about twenty bytes an element, too much to hold for all.
    """
    for weight in weights:
        if weight.storage.is_compressed:
            connections_update.update(
                flavor,
                optimizer,
                weight.record,
                weight.variable,
                weight.gradient,
                weight.growth,
                algorithm,
                when,
            )
    weights = [one for one in weights if not one.storage.is_compressed]

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
        # Grown connections are known last, so the next large weight waits for
        # them to update after this one.
        if is_large:
            before = grown


def _apply(
    weight: StepWeight,
    view: WeightView,
    result: WeightUpdate,
    finite: tf.Tensor,
    algorithm: Algorithm,
) -> tf.Tensor:
    """Assigns mask, values, counters and state; returns the grown mask."""
    record = weight.record
    old_mask, old_values = weight.mask, weight.all_values()
    trains_inactive = (
        algorithm.requirements.latent is not None
        or INACTIVE_VALUES in record.state
    )
    if not trains_inactive:
        # This batch's step may have moved them, by slots assigned since attach.
        old_values = masked(old_values, old_mask)
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
    """Zeroes slots of inactive connections and initializes those of `grown`."""
    record, mask = weight.record, weight.mask
    if algorithm.requirements.latent is not None:
        # All positions are trained, so their slots stay; only the moving
        # average of the weight must have its zeros.
        for average in slots.average_of(flavor, optimizer, record):
            assign_masked(average, mask)
        return

    # Grown connections may have stale slots: restored, or assigned since.
    kept = mask & ~grown
    for slot in slots.slots_of(flavor, optimizer, record):
        values = masked(slot, kept)

        # An accumulator that the optimizer divides by must not start at 0,
        # whatever value the method has for momentum.
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
