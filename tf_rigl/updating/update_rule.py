"""The replacements for an optimizer's methods, which also update masks."""

import dataclasses
import functools
from typing import Any

import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.backend import conditionals
from tf_rigl.backend import distribution
from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.trace_cache import TraceCache
from tf_rigl.core.schedules import UpdateSchedule
from tf_rigl.factors import decay_watch
from tf_rigl.masking.constraint import lifted
from tf_rigl.updating import averages
from tf_rigl.updating import latent_step
from tf_rigl.updating import mask_update
from tf_rigl.updating import momentum_kernel
from tf_rigl.updating.connection_growths import ConnectionGrowths
from tf_rigl.updating.mask_update import StepWeight
from tf_rigl.updating.non_finite import NonFiniteGuard
from tf_rigl.updating.penalties import StepPenalties
from tf_rigl.updating.pending_updates import PendingUpdate
from tf_rigl.updating.pending_updates import PendingUpdates
from tf_rigl.updating.rule_weights import FindRecords
from tf_rigl.updating.rule_weights import RuleWeights


class UpdateRule:
    """The replacements for the methods of one optimizer.

    `find_records` returns the model's masked weights when they are first
    needed; `algorithm` is a resolved method.
    """

    def __init__(
        self,
        flavor: Flavor,
        optimizer: Any,
        find_records: FindRecords,
        algorithm: Algorithm,
        penalties: StepPenalties,
        max_non_finite_steps: int | None = None,
    ) -> None:
        self._flavor = flavor
        self.optimizer = optimizer
        self.algorithm = algorithm
        self.penalties = penalties
        self._requirements = algorithm.requirements

        self._remask = not flavor.keeps_zeros(optimizer)
        self._own_update_step = optimizer.update_step
        self._own_apply_weight_decay = optimizer._apply_weight_decay
        self._own_apply = getattr(optimizer, flavor.apply_method)
        self._own_apply_all = getattr(optimizer, flavor.apply_all_method)
        self._pending = PendingUpdates(frozenset())
        self._traces = TraceCache()
        self._weights = RuleWeights(flavor, optimizer, find_records, algorithm)

        self._growths = ConnectionGrowths()

        self.max_non_finite_steps = max_non_finite_steps
        self.guard: NonFiniteGuard | None = None
        self.scales_loss = False  # whether a wrapper of the optimizer does
        # The optimizer step from which the schedule counts. `prepare` writes
        # it to a variable, so that another origin needs no retracing. None: 0.
        self.origin: int | None = None
        self._origin: tf.Variable | None = None

    def overrides(self) -> dict[str, Any]:
        """Returns the replacements by the name of the optimizer's attribute."""
        overrides = {
            "update_step": self.update_step,
            "_apply_weight_decay": self.apply_weight_decay,
            self._flavor.apply_method: self.apply,
            self._flavor.apply_all_method: self.apply_all,
        }
        if hasattr(self.optimizer, "jit_compile"):
            # Keras 2 would compile the step of each variable separately, and
            # no tensor could pass between them.
            overrides["jit_compile"] = False
        return overrides

    def prepare(self) -> None:
        """Prepares weights and counters, as soon as the weights exist."""
        records = self._weights.prepare()
        self.penalties.check(self.algorithm, self._weights.updated)
        self._growths.begin(
            self._flavor,
            self.optimizer,
            self.scales_loss,
            self.algorithm,
            self.penalties.penalties,
            records,
        )
        if self._schedule is not None:
            self._growths.put(self._weights.updated_records(), self._is_due)
        strategy = distribution.strategy_of(
            record.storage.variable for record in records
        )

        if self.guard is not None:
            self.guard.reset()
        elif self.max_non_finite_steps is not None:
            self.guard = NonFiniteGuard(self.max_non_finite_steps, strategy)

        if self.origin is None:
            return
        if self._origin is None:
            self._origin = distribution.make_counter(strategy)
        self._origin.assign(self.origin)

    def release(self) -> None:
        """Stops warning about other optimizers that train the weights."""
        self._weights.release()
        self._growths.remove()

    @property
    def _schedule(self) -> UpdateSchedule | None:
        """The schedule of mask updates; None if no mask can ever change."""
        schedule, updated = self.algorithm.schedule, self._weights.updated
        if schedule is None or not schedule.num_updates or not updated:
            return None
        return schedule

    def _is_due(self) -> tf.Tensor:
        """Returns whether the step that is being computed updates masks."""
        schedule, (_, time) = self._schedule, self._now()
        return tf.constant(False) if schedule is None else schedule.is_due(time)

    def _step_number(self) -> tf.Tensor:
        """Returns the number of optimizer steps taken, an int64 scalar."""
        return tf.cast(
            tf.convert_to_tensor(self.optimizer.iterations), tf.int64
        )

    def _now(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the optimizer steps taken: in all, and since the origin."""
        step = self._step_number()
        if self._origin is None:
            return step, step
        return step, step - tf.convert_to_tensor(self._origin)

    @tf.autograph.experimental.do_not_convert
    def apply(self, *args: Any, **kwargs: Any) -> Any:
        """Applies gradients with the mask constraints lifted.

        The overridden steps keep masked values at zero, so the constraints
        would only cost another pass over the memory.
        """
        # Prepares the weights if the model has just created them.
        _ = self._weights.by_key
        watches = decay_watch.lifted(self._flavor, self.penalties.watches)
        with lifted(self._weights.constraints), watches:
            result = self._own_apply(*args, **kwargs)
        if self._requirements.latent is not None:
            averages.settle(
                self._flavor,
                self.optimizer,
                self.algorithm,
                self._weights.updated_records(),
            )
        return result

    @tf.autograph.experimental.do_not_convert
    def apply_all(self, *args: Any) -> Any:
        """Applies gradients, having noted which variables they update."""
        keys = map(self._weights.key, self._flavor.applied_variables(*args))
        self._pending = PendingUpdates(frozenset(keys))
        return self._own_apply_all(*args)

    @tf.autograph.experimental.do_not_convert
    def update_step(self, gradient: Any, variable: Any, *args: Any) -> None:
        """Replaces the optimizer's `update_step`.

        Collects updates until every variable of the replica has been seen, so
        that one `tf.cond` covers them all. `args` is the learning rate in
        Keras 3 and empty in Keras 2.
        """
        key = self._weights.key(variable)
        updates = self._pending.add(
            self._make_pending(key, gradient, variable, args)
        )
        if not updates:
            return

        if self.guard is None:
            self._step_replica(updates)
        else:
            self.guard.run(
                [update.gradient for update in updates],
                lambda: conditionals.as_branch(
                    lambda: self._step_replica(updates)
                ),
            )

    def _make_pending(
        self, key: str, gradient: Any, variable: Any, args: tuple[Any, ...]
    ) -> PendingUpdate:
        """Chooses the step of a variable, to be taken with all others."""
        record = self._weights.find(key)
        is_updated = key in self._weights.updated
        if self._requirements.freezes_others and not is_updated:
            return PendingUpdate(key, variable, gradient, lambda _: None, None)

        if record is None:
            return PendingUpdate(
                key,
                variable,
                gradient,
                lambda total: self._own_update_step(total, variable, *args),
                None,
            )

        # The gradient of an embedding is `tf.IndexedSlices`.
        gradient = tf.convert_to_tensor(gradient)
        # A kernel that is applied to sequences has one without a static shape.
        gradient.set_shape(variable.shape)
        weight = StepWeight(record, variable, gradient)
        if record.storage.is_compressed:
            growth = self._growths.settled(record, gradient)
            weight = dataclasses.replace(weight, growth=growth)

        latent = self._requirements.latent
        if latent is None or not is_updated:
            step = functools.partial(self._step_of_connections, weight, args)
        else:
            step = functools.partial(self._step_of_latent, latent, weight, args)
        return PendingUpdate(
            key,
            variable,
            gradient,
            step,
            weight if is_updated else None,
            weight if record.is_follower else None,
        )

    def _step_replica(self, updates: list[PendingUpdate]) -> None:
        """Updates all variables of a replica for one batch.

        If a mask update is due, it follows the steps of the variables, or
        replaces them if the method skips the step.
        """
        schedule, now = self._schedule, self._now()
        weights = [one.weight for one in updates if one.weight is not None]
        followers = [one.follower for one in updates if one.follower]
        if self._requirements.observes:
            mask_update.observe(weights, self.algorithm, schedule, now)

        def step_all() -> tf.Tensor:
            together = bool(self._pending.keys)
            gradients = self.penalties.gradients(updates, together)
            for update, gradient in zip(updates, gradients, strict=True):
                update.step(gradient)
            return conditionals.no_op()

        otherwise = conditionals.no_op
        if schedule is not None and self._requirements.skips_step:
            otherwise = step_all
        else:
            step_all()
            if schedule is None or not weights:
                return

        _, time = now
        tf.cond(
            schedule.is_due(time),
            lambda: self._update_masks(weights, followers, schedule, now),
            otherwise,
        )

    def _update_masks(
        self,
        weights: list[StepWeight],
        followers: list[StepWeight],
        schedule: UpdateSchedule,
        now: tuple[tf.Tensor, tf.Tensor],
    ) -> tf.Tensor:
        """Updates the masks of one replica by a single call node in the graph.

        In each step without an update, TensorFlow marks every node of the
        branch as dead, and a mask update has some hundred nodes per weight.
        """
        if self._requirements.whole_model:
            self._pending.check_together(self._flavor, self.optimizer)
        # The function is cached, and gradients would keep their graph alive.
        places = [
            dataclasses.replace(weight, gradient=None) for weight in weights
        ]

        def update(
            step: tf.Tensor, time: tf.Tensor, gradients: list[tf.Tensor]
        ) -> tf.Tensor:
            """Updates the masks, given all that changes between steps."""
            mask_update.update_masks(
                self._flavor,
                self.optimizer,
                [
                    dataclasses.replace(place, gradient=gradient)
                    for place, gradient in zip(places, gradients, strict=True)
                ],
                self.algorithm,
                mask_update.moment(schedule, step, time),
            )
            for follower in followers:
                mask_update.follow(self._flavor, self.optimizer, follower)
            return conditionals.no_op()

        gradients = [weight.gradient for weight in weights]
        if tf.executing_eagerly():
            return update(*now, gradients)

        key = (schedule, *(id(place.variable) for place in places))
        # A cached trace would keep the learning rate of its first call, on
        # which the initial momentum of grown connections depends.
        keeps_rate = self._requirements.initializes_slots
        traces = TraceCache() if keeps_rate else self._traces
        return traces.call(key, update, *now, gradients)

    @tf.autograph.experimental.do_not_convert
    def apply_weight_decay(self, variables: Any) -> None:
        """Decays weights, unless a mask update takes the step's place."""
        decays = any(
            name.endswith("weight_decay") and value is not None
            for name, value in vars(self.optimizer).items()
            if not callable(value)
        )
        if not decays:
            return

        def decay() -> None:
            decayed = self.penalties.without_weight_decay(variables)
            self._own_apply_weight_decay(decayed)

        schedule = self._schedule
        if schedule is None or not self._requirements.skips_step:
            decay()
        else:
            _, time = self._now()
            due = schedule.is_due(time)
            conditionals.conditionally_across_replicas(~due, decay)

    def _step_of_connections(
        self, weight: StepWeight, args: tuple[Any, ...], gradient: tf.Tensor
    ) -> None:
        """Updates the active connections and leaves masked ones at zero."""
        if weight.storage.is_compressed:
            self._own_step(weight, gradient, *args)
            return

        mask = weight.record.mask
        # The weight is zero where it is masked, so its own values serve as
        # zeros: allocating others would take another pass over the memory.
        gradient = tf.raw_ops.Select(
            condition=mask,
            x=gradient,
            y=tf.cast(weight.variable, gradient.dtype),
        )
        self._own_step(weight, gradient, *args)
        if self._remask:
            storage = weight.storage
            storage.set_values(storage.values())
            self._weights.mask_slots(weight.record, mask)

    def _own_step(
        self, weight: StepWeight, gradient: tf.Tensor, *args: Any
    ) -> None:
        """Takes the optimizer's own step, given the masked gradient."""
        flavor, optimizer = self._flavor, self.optimizer
        own, record = self._own_update_step, weight.record
        if momentum_kernel.applies(flavor, optimizer, own, record):
            rate = args[0] if args else optimizer.learning_rate
            momentum_kernel.apply(flavor, optimizer, record, gradient, rate)
        else:
            own(gradient, weight.variable, *args)

    def _step_of_latent(
        self, state: str, weight: StepWeight, args: tuple[Any, ...], _: Any
    ) -> None:
        """Trains the latent values, by a gradient of the method's own."""

        def own_step(gradient: tf.Tensor) -> None:
            self._own_update_step(gradient, weight.variable, *args)

        mask_slots = functools.partial(self._weights.mask_slots, weight.record)
        latent_step.take(weight, state, self.algorithm, own_step, mask_slots)
