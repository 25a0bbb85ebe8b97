"""The callback that updates masks during `fit` and logs their state."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.algorithms import Algorithm
from tf_rigl.algorithms import Penalty
from tf_rigl.backend import platform_limits
from tf_rigl.backend.callback import ModelCallback
from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.checkpointing.optimizer_state import steps_taken
from tf_rigl.core.checks import check_limit
from tf_rigl.diagnostics.diagnose import diagnose_weights
from tf_rigl.masking import deferred
from tf_rigl.masking import tree
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.updating import attach
from tf_rigl.updating import loss_watch
from tf_rigl.updating import method_state
from tf_rigl.updating import optimizer_hook
from tf_rigl.updating import replica_check
from tf_rigl.updating import storage_change
from tf_rigl.updating import train_functions
from tf_rigl.updating import training_warnings
from tf_rigl.updating.model_optimizers import optimizers_of
from tf_rigl.updating.model_optimizers import training_optimizers
from tf_rigl.updating.non_finite import NonFiniteGuard
from tf_rigl.updating.update_rule import UpdateRule


class UpdateMasks(ModelCallback):
    """Trains a sparse model by a method such as RigL during `fit`.

    The mask updates run inside the optimizer, in the same graph as the step.
    This callback installs them when training begins and removes them when it
    ends. After each epoch it logs what the method moves, over all masked
    weights:

    - `mask_churn`: the fraction of active connections that the mask updates
      of this epoch moved.
    - `mask_exploration`: the fraction of positions that have been active at
      any time, the in-time over-parameterization rate of Liu et al.
      (arXiv:2102.02887); absent with `SparsifyOptions(diagnostics=False)`.
    - `mask_overlap_start`: the fraction of active connections that were
      active at the start; absent if that is not known.
    - `dead_units`: the number of units without any active connection.
    - `sparsity`: the fraction of masked positions; only for methods that prune
      during training, since others keep it.
    - `skipped_mask_updates`, `skipped_steps`: how many the epoch skipped
      because a gradient was not finite; absent if none.

    The first four are absent for a method that never updates masks, such as
    `Static`. `tf_rigl.MaskDiagnostics` and `tf_rigl.diagnose` report all of
    them for any method, weight by weight.

    After an epoch in which the loss has jumped at a mask update and stayed
    there, it warns once; see `tf_rigl.updating.loss_watch` for the threshold.

    Args:
        algorithm: a method such as `tf_rigl.RigL()` or `tf_rigl.Static()`.
        max_non_finite_steps: if given, steps with a non-finite gradient are
            skipped, except for decoupled weight decay, and training ends
            after this many skips in a row. Waits for the device after each
            batch to read a counter. By default, Keras takes such steps as
            usual and only mask updates are skipped.
        check_replicas: whether replicas compare their masks after the first
            batch and after each mask update, waiting for all devices each
            time; see `tf_rigl.updating.replica_check`.
        penalties: further terms of the loss, `tf_rigl.algorithms.Penalty`,
            whose gradients are added right before the optimizer's own step.
            They apply to weights without a mask, too; a dense model can be
            trained so if the method leaves masks as they are.

    Raises:
        TypeError: if `algorithm` is not an `Algorithm`, or a penalty not a
            `Penalty`.
        ValueError: when training begins, if the model is dense, its optimizer
            cannot train sparse weights, the method needs the number of steps
            and it is unknown, or Keras does not support these devices.
        RuntimeError: during training, if the masks of replicas differ.
        FloatingPointError: during training, after `max_non_finite_steps`
            skipped steps in a row.

    Example:
        >>> model = tf_rigl.sparsify(model, sparsity=0.9)
        >>> model.compile("sgd", "mse")
        >>> model.fit(x, y, callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL())])
    """

    def __init__(
        self,
        algorithm: Algorithm,
        max_non_finite_steps: int | None = None,
        check_replicas: bool = False,
        penalties: Sequence[Penalty] = (),
    ) -> None:
        super().__init__()
        attach.check_algorithm(algorithm)
        attach.check_penalties(penalties)
        check_limit(max_non_finite_steps)
        self.algorithm = algorithm
        self._max_non_finite_steps = max_non_finite_steps
        self._check_replicas = check_replicas
        self._penalties = tuple(penalties)

        # Keras may call callbacks in a thread of its own, where errors would
        # surface some batches late.
        self.async_safe = max_non_finite_steps is None and not check_replicas

        # The state of one call of `fit`.
        self._replica_check: replica_check.CheckAfterUpdates | None = None
        self._loss_watch: loss_watch.LossWatch | None = None
        self._optimizers: list[Any] = []
        self._rules: list[UpdateRule] = []
        self._skipped_steps = 0  # as logged for the previous epochs
        self._warned_of: set[str] = set()  # weights without connections
        self._last_counts = np.zeros(3, np.int64)
        # By the id of an optimizer, its steps before this `fit`.
        self._steps_before: dict[int, int] = {}

    def set_model(self, model: Any) -> None:
        """Creates the method's state, which other callbacks may restore."""
        super().set_model(model)
        flavor = model_flavor(model)
        storage_change.suit(
            model,
            lambda: optimizers_of(flavor, model),
            self.algorithm,
            self._penalties,
        )
        self._steps_before = {
            id(one): steps_taken(one)
            for optimizer in optimizers_of(flavor, model)
            for one in (optimizer, *flavor.updating_optimizers(optimizer))
        }
        if not deferred.is_deferred(model):
            method_state.keep(self._records(), self.algorithm)

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks model and devices, and removes hooks of interrupted calls."""
        del logs
        flavor = model_flavor(self.model)
        # An interrupted `fit` of this model, or of a model that is part of it,
        # may have left its hooks in place.
        for node in tree.walk(flavor, self.model):
            train_functions.end(node.layer)

        self._rules = []
        self._skipped_steps = 0
        self._warned_of = set()
        self._last_counts = np.zeros(3, np.int64)

        platform_limits.check_fit_of(self.model, flavor.name)
        is_deferred = deferred.is_deferred(self.model)
        records = [] if is_deferred else self._records()
        self._optimizers = training_optimizers(flavor, self.model, records)
        if not is_deferred:
            attach.check_fits(self.algorithm, records)
            self._last_counts = _counts(records)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Installs the mask updates before the first epoch's first batch.

        Keras announces the first epoch only here, and a later epoch means that
        a training is resumed.
        """
        del logs
        if not self._rules:
            self._install(epoch)
        if self._replica_check is not None:
            self._replica_check.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes the loss; raises after skipped steps or if replicas differ."""
        if self._loss_watch is not None:
            self._loss_watch.after_batch(batch, logs)
        for guard in self._guards():
            guard.check()
        if self._replica_check is not None:
            self._replica_check.after_batch(batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds the statistics of the masks to the logs."""
        del epoch
        records = self._records()
        empty = {record.path for record in records if not record.num_active()}
        if not empty <= self._warned_of:
            training_warnings.warn_of_empty(empty)
            self._warned_of |= empty

        jump = self._loss_watch and self._loss_watch.end_epoch()
        if jump:
            training_warnings.warn_of_jump(jump, self.algorithm)
            self._loss_watch = None  # warns once

        if logs is None:
            return

        if self.algorithm.mask_schedule is not None:
            logs.update(self._moving_numbers(records))

        num_skipped = sum(guard.left_out for guard in self._guards())
        if num_skipped > self._skipped_steps:
            logs["skipped_steps"] = num_skipped - self._skipped_steps
            self._skipped_steps = num_skipped

    def on_train_end(self, logs: Any = None) -> None:
        """Removes the hooks from the optimizers; the masks stay."""
        del logs
        records = self._records()
        train_functions.end(
            self.model, train_functions.trace_key(self._rules, records)
        )

        if not self._rules:
            # `fit` ran no epoch: `initial_epoch` was not below `epochs`.
            return

        steps = [steps_taken(one) for one in self._optimizers]
        is_idle = steps == self._steps_before_fit(self._optimizers)
        if is_idle and any(record.is_trainable for record in records):
            training_warnings.warn_of_idle(
                self._optimizers, self.algorithm.name
            )
        training_warnings.warn_of_unfinished_pruning(self._rules[0], records)

    def _moving_numbers(self, records: list[MaskedWeight]) -> dict[str, Any]:
        """Returns the numbers that the method can have changed, by name."""
        counts = _counts(records)
        _, moved, skipped = counts - self._last_counts
        self._last_counts = counts

        total = diagnose_weights(self.model.name, records).total
        numbers: dict[str, Any] = {
            "mask_churn": float(moved / max(total.connections, 1))
        }
        if total.exploration is not None:
            numbers["mask_exploration"] = total.exploration
        if total.overlap_start is not None:
            numbers["mask_overlap_start"] = total.overlap_start
        numbers["dead_units"] = total.dead_units
        if self.algorithm.requirements.prunes_during_training:
            numbers["sparsity"] = total.sparsity
        if skipped:
            numbers["skipped_mask_updates"] = int(skipped)
        return numbers

    def _install(self, epoch: int) -> None:
        """Replaces the model's train step by the one that updates masks."""
        flavor = model_flavor(self.model)
        is_deferred = deferred.is_deferred(self.model)
        if not is_deferred:
            # Another callback may have restored a checkpoint.
            self._last_counts = _counts(self._records())

        rules = []
        for optimizer in self._optimizers:
            if any(
                optimizer_hook.installed(one)
                for one in flavor.updating_optimizers(optimizer)
            ):
                raise ValueError(
                    "A `fit` trains by one method. Received: two callbacks "
                    "`UpdateMasks`. Remove one of them."
                )

            total = self._num_steps(flavor, optimizer, self.params["epochs"])
            algorithm = self.algorithm.resolve(total)
            platform_limits.check_mask_updates_of(
                self.model, algorithm.schedule
            )
            made = optimizer_hook.make_rules(
                flavor,
                optimizer,
                self.model,
                algorithm,
                self._penalties,
                self._max_non_finite_steps,
            )
            if algorithm is not self.algorithm:  # it had no stop step
                training_warnings.warn_of_no_update(algorithm)
                for rule in made:
                    rule.origin = self._origin(flavor, rule.optimizer, epoch)
            rules += made

        key = (
            None
            if is_deferred
            else train_functions.trace_key(rules, self._records())
        )
        self._rules = train_functions.kept(self.model, key) or rules
        for rule, made_now in zip(self._rules, rules, strict=True):
            rule.origin = made_now.origin
        train_functions.begin(self.model, self._rules, key)
        if is_deferred:
            deferred.when_complete(self.model, self._prepare)
        else:
            self._prepare()
        self._replica_check = self._make_replica_check(flavor)
        self._loss_watch = self._make_loss_watch(flavor)

    def _prepare(self) -> None:
        for rule in self._rules:
            rule.prepare()

    def _records(self) -> list[MaskedWeight]:
        return attach.weights_to_train(
            self.model, self.algorithm, self._penalties
        )

    def _make_replica_check(
        self, flavor: Flavor
    ) -> replica_check.CheckAfterUpdates | None:
        if not self._check_replicas:
            return None
        first = self._rules[0]
        watch = replica_check.UpdateWatch(
            first.algorithm.schedule,
            steps_taken(first.optimizer) - (first.origin or 0),
            flavor.accumulation_steps(first.optimizer),
        )
        return replica_check.CheckAfterUpdates(self.model, watch)

    def _make_loss_watch(self, flavor: Flavor) -> loss_watch.LossWatch | None:
        first = self._rules[0]
        schedule = first.algorithm.schedule
        if schedule is None or not loss_watch.suits(
            self.model, first.algorithm.requirements
        ):
            return None
        before = steps_taken(first.optimizer) - (first.origin or 0)
        per_step = flavor.accumulation_steps(first.optimizer)
        return loss_watch.LossWatch(
            lambda batch: schedule.is_update(before + batch // per_step)
        )

    def _guards(self) -> list[NonFiniteGuard]:
        return [rule.guard for rule in self._rules if rule.guard is not None]

    def _steps_before_fit(self, optimizers: list[Any]) -> list[int]:
        """Returns how many steps optimizers had taken before this `fit`."""
        return [self._steps_before.get(id(one), 0) for one in optimizers]

    def _num_steps(
        self, flavor: Flavor, optimizer: Any, epochs: int
    ) -> int | None:
        """Returns the number of update steps in `epochs`; None if unknown."""
        steps = self.params.get("steps")
        if steps is None:
            return None
        updating = flavor.updating_optimizers(optimizer)[0]
        return int(steps * epochs // flavor.accumulation_steps(updating))

    def _origin(self, flavor: Flavor, optimizer: Any, first_epoch: int) -> int:
        """Returns the optimizer's step at which this `fit`'s training began.

        A `fit` that begins with a later epoch, or whose callbacks restore a
        checkpoint, resumes a training; any other begins a new one.
        """
        if first_epoch == 0:
            return self._steps_before.get(id(optimizer), steps_taken(optimizer))
        per_epoch = self._num_steps(flavor, optimizer, 1) or 0
        before = steps_taken(optimizer) - per_epoch * first_epoch
        # Fewer steps than one epoch has stem from an interrupted epoch.
        return before if before >= per_epoch else 0


def _counts(records: list[MaskedWeight]) -> np.ndarray:
    """Sums mask updates, moved connections and skipped updates, int64 [3]."""
    counters = [record.counters.numpy() for record in records]
    return np.sum([np.zeros(3, np.int64), *counters], axis=0)
