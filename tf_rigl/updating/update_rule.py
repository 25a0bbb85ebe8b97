"""The optimizer's methods that are overridden while a method trains."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import When
from tf_rigl.backend import conditionals
from tf_rigl.backend.distribution import strategy_of
from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.trace_cache import TracedOnce
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.masking import constraint
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.storage import assign_masked
from tf_rigl.masking.storage import masked
from tf_rigl.updating import method_state
from tf_rigl.updating import momentum_kernel
from tf_rigl.updating import slots
from tf_rigl.updating.mask_update import StepWeight
from tf_rigl.updating.mask_update import prune_before_first_batch
from tf_rigl.updating.mask_update import update_masks
from tf_rigl.updating.non_finite import NonFiniteGuard
from tf_rigl.updating.pending_updates import Gathered
from tf_rigl.updating.pending_updates import Item

FindRecords = Callable[[], list[MaskedWeight]]


class UpdateRule:
    """The overridden methods of one optimizer."""

    def __init__(
        self,
        flavor: Flavor,
        optimizer: Any,
        find_records: FindRecords,
        algorithm: Algorithm,
        max_non_finite_steps: int | None = None,
    ) -> None:
        self._flavor = flavor
        self._optimizer = optimizer
        self._find_records = find_records
        self._algorithm = algorithm
        self._remask = not flavor.keeps_zeros(optimizer)
        self._own_update_step = optimizer.update_step
        self._own_apply_weight_decay = optimizer._apply_weight_decay
        self._own_apply_all = getattr(optimizer, flavor.apply_all_method)
        self._gathered = Gathered(frozenset())
        self._updates = TracedOnce()
        self._prepared = False
        self._max_non_finite_steps = max_non_finite_steps
        # None where steps with gradients that are not finite are taken.
        self.guard: NonFiniteGuard | None = None

    def overrides(self) -> dict[str, Any]:
        """The attributes to put in place of the optimizer's own."""
        overrides = {
            "update_step": self.update_step,
            "_apply_weight_decay": self.apply_weight_decay,
            self._flavor.apply_all_method: self.apply_all,
        }
        if hasattr(self._optimizer, "jit_compile"):
            # Keras 2 would compile the step of each variable by itself, and
            # no tensor could pass from one to the other.
            overrides["jit_compile"] = False
        return overrides

    def prepare(self) -> None:
        """Gives the weights to this rule: values, masks and state.

        Called as soon as the weights exist, outside of all replicas, which
        could not agree on an assignment while their step is traced.
        """
        records = self._find_records()
        with tf.init_scope():
            method_state.keep(records, self._algorithm)
            records = self._find_records()
            method_state.check_initial_values(records, self._algorithm)
            for record in records:
                constraint.remove_mask_constraint(self._flavor, record.variable)
                # Dense values may have been loaded into it.
                record.set_values(record.values())
                constraint.check_keeps_zeros(
                    record.variable.constraint, record.storage, record.path
                )
            if self._algorithm.trains_inactive:
                prune_before_first_batch(
                    self._trained(records), self._algorithm
                )
            elif self._flavor.optimizer_is_built(self._optimizer):
                for record in records:
                    self._mask_slots(record, record.mask)
        if self._max_non_finite_steps is not None and self.guard is None:
            self.guard = NonFiniteGuard(
                self._max_non_finite_steps,
                strategy_of(record.storage.variable for record in records),
            )
        self._prepared = True

    @functools.cached_property
    def _sparse(self) -> dict[str, MaskedWeight]:
        """The weights that the method trains, by the variable's identity."""
        if not self._prepared:
            # A model may get its weights only while its step is traced.
            self.prepare()
        records = self._find_records()
        slots.check_all_found(self._flavor, self._optimizer, records)
        return {
            self._key(record.variable): record
            for record in self._trained(records)
        }

    def _trained(self, records: list[MaskedWeight]) -> list[MaskedWeight]:
        """Without weights that are dense for good, unless all count."""
        sparse = [record for record in records if record.target < record.size]
        return records if sparse and self._algorithm.whole_model else sparse

    @property
    def _schedule(self) -> UpdateSchedule | None:
        """When masks are updated; None where nothing can ever move."""
        schedule = self._algorithm.schedule
        if schedule is None or not schedule.num_updates or not self._sparse:
            return None
        return schedule

    def _key(self, variable: Any) -> str:
        return self._flavor.variable_key(self._optimizer, variable)

    def _step_number(self) -> tf.Tensor:
        """Optimizer steps taken so far, int64 scalar."""
        return tf.cast(
            tf.convert_to_tensor(self._optimizer.iterations), tf.int64
        )

    def _when(self, schedule: UpdateSchedule | None) -> When:
        step = self._step_number()
        if schedule is None:
            return When(tf.constant(-1, tf.int64), step)
        return When(schedule.update_index(step), step)

    @tf.autograph.experimental.do_not_convert
    def apply_all(self, *args: Any) -> Any:
        """Notes which variables this application of gradients updates."""
        keys = map(self._key, self._flavor.applied_variables(*args))
        self._gathered = Gathered(frozenset(keys))
        return self._own_apply_all(*args)

    @tf.autograph.experimental.do_not_convert
    def update_step(self, gradient: Any, variable: Any, *args: Any) -> None:
        """Replaces the optimizer's own; `args` is Keras 3's learning rate.

        What comes by is gathered until the last variable has come, so that
        one conditional will do for all.
        """
        key = self._key(variable)
        record = self._sparse.get(key)
        if record is None:
            step = functools.partial(
                self._own_update_step, gradient, variable, *args
            )
            item = Item(gradient, step, None)
        else:
            # The gradient of an embedding is given as slices.
            gradient = tf.convert_to_tensor(gradient)
            # That of a kernel which is applied to sequences forgets its shape.
            gradient.set_shape(variable.shape)
            weight = StepWeight(record, variable, gradient)
            step = functools.partial(self._step, weight, *args)
            item = Item(gradient, step, weight)
        items = self._gathered.add(key, item)
        if not items:
            return
        if self.guard is None:
            self._take(items)
        else:
            gradients = [item.gradient for item in items]
            self.guard.run(
                gradients, lambda: conditionals.run(lambda: self._take(items))
            )

    def _take(self, items: list[Item]) -> None:
        """All that happens to the variables of one replica in one batch.

        A batch either updates masks or takes the steps of all variables, or
        it does the one after the other.
        """
        schedule = self._schedule
        weights = [item.weight for item in items if item.weight is not None]
        if self._algorithm.observes:
            for weight in weights:
                weight.observe(self._algorithm, self._when(schedule))

        def step_all() -> tf.Tensor:
            for item in items:
                item.step()
            return conditionals.nothing()

        if schedule is None:
            step_all()
        elif self._algorithm.skip_weight_update:
            self._update_or(step_all, weights, schedule)
        else:
            step_all()
            if weights:
                self._update_or(conditionals.nothing, weights, schedule)

    def _update_or(
        self,
        otherwise: Callable[[], tf.Tensor],
        weights: list[StepWeight],
        schedule: UpdateSchedule,
    ) -> None:
        """Updates the masks of one replica where it is time to."""
        step = self._step_number()
        tf.cond(
            schedule.is_due(step),
            lambda: self._update_as_one(weights, schedule, step),
            otherwise,
        )

    def _update_as_one(
        self, weights: list[StepWeight], schedule: UpdateSchedule, step: Any
    ) -> tf.Tensor:
        """Updates the masks of one replica, as a single node of the graph.

        TensorFlow tells each node of a branch in each step that the branch is
        not taken. A mask update has some hundred nodes a weight.
        """
        # Without the gradients, which would keep their graph.
        places = [(weight.record, weight.variable) for weight in weights]

        def update(step: tf.Tensor, gradients: list[tf.Tensor]) -> tf.Tensor:
            return self._update(
                [
                    StepWeight(record, variable, gradient)
                    for (record, variable), gradient in zip(
                        places, gradients, strict=True
                    )
                ],
                When(schedule.update_index(step), step),
            )

        gradients = [weight.gradient for weight in weights]
        if tf.executing_eagerly():
            return update(step, gradients)
        key = (schedule, *(id(variable) for _, variable in places))
        # Whatever is kept would keep the learning rate of its first trace.
        updates = TracedOnce() if self._algorithm.gives_slots else self._updates
        return updates.call(key, update, step, gradients)

    def _update(self, weights: list[StepWeight], when: When) -> tf.Tensor:
        """Updates the masks of one replica."""
        if self._algorithm.whole_model and not self._gathered.keys:
            raise ValueError(
                "A method that looks at all weights at once needs an optimizer "
                "that applies all gradients together. Received: "
                f"{type(self._optimizer).__name__}, which calls `update_step` "
                f"by itself. Call `{self._flavor.apply_all_method}` from it, "
                "or choose a method with scope='weight'."
            )
        update_masks(
            self._flavor, self._optimizer, weights, self._algorithm, when
        )
        return conditionals.nothing()

    @tf.autograph.experimental.do_not_convert
    def apply_weight_decay(self, variables: Any) -> None:
        """Replaces the optimizer's own, which runs before `update_step`."""
        decays = any(
            name.endswith("weight_decay") and value is not None
            for name, value in vars(self._optimizer).items()
            if not callable(value)
        )
        if not decays:
            return

        def decay() -> None:
            self._own_apply_weight_decay(variables)

        schedule = self._schedule
        if schedule is None or not self._algorithm.skip_weight_update:
            decay()
        else:
            due = schedule.is_due(self._step_number())
            conditionals.conditionally_across_replicas(~due, decay)

    def _step(self, weight: StepWeight, *args: Any) -> None:
        if self._algorithm.trains_inactive:
            self._step_of_all(weight, *args)
        else:
            self._step_of_connections(weight, *args)

    def _step_of_connections(self, weight: StepWeight, *args: Any) -> None:
        """A step that leaves zeros at zero."""
        mask = weight.record.mask
        # The weight is zero where it is masked, so that it serves as the
        # zeros: making others would take another pass over the memory.
        gradient = tf.raw_ops.Select(
            condition=mask,
            x=weight.gradient,
            y=tf.cast(weight.variable, weight.gradient.dtype),
        )
        self._own_step(weight, gradient, *args)
        if self._remask:
            storage = weight.storage
            storage.set_values(storage.values())
            self._mask_slots(weight.record, mask)

    def _own_step(
        self, weight: StepWeight, gradient: tf.Tensor, *args: Any
    ) -> None:
        """The optimizer's own step of a weight, given its masked gradient."""
        flavor, optimizer = self._flavor, self._optimizer
        own, record = self._own_update_step, weight.record
        if momentum_kernel.applies(flavor, optimizer, own, record):
            rate = args[0] if args else optimizer.learning_rate
            momentum_kernel.apply(flavor, optimizer, record, gradient, rate)
        else:
            own(gradient, weight.variable, *args)

    def _step_of_all(self, weight: StepWeight, *args: Any) -> None:
        """A step of the values within and outside the mask."""
        seen = weight.seen()
        before = weight.all_values()
        trained = self._algorithm.trained(seen)
        gradient = self._algorithm.step_gradient(seen)
        if trained is not None:
            gradient = masked(gradient, trained)
        weight.variable.assign(before)
        self._own_update_step(
            weight.record.unview(gradient), weight.variable, *args
        )
        after = tf.convert_to_tensor(weight.variable)
        if trained is not None:
            trained = weight.record.unview(trained)
            after = tf.where(trained, after, before)
            self._mask_slots(weight.record, trained)
        weight.record.state[method_state.INACTIVE_VALUES].assign(after)
        weight.storage.set_values(after)

    def _mask_slots(self, record: MaskedWeight, mask: Any) -> None:
        for slot in slots.slots_of(self._flavor, self._optimizer, record):
            assign_masked(slot, mask)
