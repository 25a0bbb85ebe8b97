"""The callback that updates masks during `fit` and reports."""

import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.backend import platform_limits
from tf_rigl.backend.callback import ModelCallback
from tf_rigl.backend.flavor import Flavor
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.core.checks import check_limit
from tf_rigl.diagnostics.diagnose import diagnose_weights
from tf_rigl.masking import deferred
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import require_masked_weights
from tf_rigl.updating import attach
from tf_rigl.updating import method_state
from tf_rigl.updating import optimizer_hook
from tf_rigl.updating import replica_check
from tf_rigl.updating.non_finite import NonFiniteGuard


class UpdateMasks(ModelCallback):
    """Trains a sparse model by a method such as RigL during `fit`.

    The mask updates run inside the optimizer, in the same graph as the step;
    this callback installs them when training begins, removes them when it
    ends and reports at the end of each epoch, over all masked weights:

    - `sparsity`: the fraction of zeros.
    - `mask_churn`: the fraction of connections that the epoch's mask updates
      moved.
    - `mask_exploration`: the fraction of positions that have been active at
      any time, the in-time over-parameterization rate of Liu et al.
      (arXiv:2102.02887); not under
      `SparsifyOptions(diagnostics=False)`.
    - `mask_overlap_start`: the fraction of connections that were there at the
      start.
    - `dead_units`: the number of units without any connection.
    - `skipped_mask_updates` and `skipped_steps`: of the epoch, because a
      gradient was not finite; where there were any.

    The same for each weight: `tf_rigl.MaskDiagnostics`, `tf_rigl.diagnose`.

    Args:
        algorithm: a method such as `tf_rigl.RigL()` or `tf_rigl.Static()`.
        max_non_finite_steps: if given, steps with a gradient that is not
            finite are left out, and so many in a row end the run. Decoupled
            weight decay still acts in them. Reads a number from the device
            after each batch. If not, Keras takes such steps, as ever, and
            only mask updates are left out.
        check_replicas: whether replicas compare their masks after the first
            batch and after each mask update; see
            `tf_rigl.updating.replica_check`. Each time waits for the devices.

    Raises:
        TypeError: if `algorithm` is no method.
        ValueError: when training begins, where the model is dense, its
            optimizer cannot train sparse weights, or the number of steps is
            needed and unknown; where Keras cannot train so on these devices.
        RuntimeError: while training, where masks of replicas differ.
        FloatingPointError: while training, after `max_non_finite_steps`.

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
    ) -> None:
        super().__init__()
        attach.check_algorithm(algorithm)
        check_limit(max_non_finite_steps)
        self.algorithm = algorithm
        self._max_non_finite_steps = max_non_finite_steps
        self._check_replicas = check_replicas

        # An error in a thread of Keras's own would come late.
        self.async_safe = not self._implements_train_batch_hooks()
        # Of this `fit`.
        self._agreement: replica_check.CheckAfterUpdates | None = None
        self._installed = False
        self._steps_left_out = 0  # in this `fit`, until the last epoch
        self._told: set[str] = set()  # weights without connections
        self._taken = 0  # optimizer steps before this `fit`
        self._last_counts = np.zeros(3, np.int64)

    def set_model(self, model: Any) -> None:
        """Clears the compiled train function, which `fit` makes after this."""
        super().set_model(model)
        _check_has_optimizer(model)
        # Before other callbacks restore a checkpoint.
        self._taken = int(tf.convert_to_tensor(model.optimizer.iterations))
        optimizer_hook.forget_traces(model)
        if not deferred.is_deferred(model):
            # A checkpoint has it too.
            method_state.keep(require_masked_weights(model), self.algorithm)

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks what can be checked before the first batch."""
        del logs
        self._installed = False
        self._steps_left_out = 0
        self._told = set()
        self._last_counts = np.zeros(3, np.int64)
        flavor, optimizer = model_flavor(self.model), self.model.optimizer
        attach.check_not_attached(flavor, optimizer)
        platform_limits.check_fit_of(self.model, flavor.name)
        if not deferred.is_deferred(self.model):
            records = self._records()
            attach.check_fits(self.algorithm, records)
            self._last_counts = _counts(records)
            optimizer_hook.uninstall(flavor, optimizer, records)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Installs the mask updates before the first epoch's first batch.

        Only here it is known whether training begins with a later epoch.
        """
        del logs
        if not self._installed:
            if not deferred.is_deferred(self.model):
                # Another callback may have restored a checkpoint.
                self._last_counts = _counts(self._records())

            flavor = model_flavor(self.model)
            algorithm = self.algorithm.resolve(self._total_steps(flavor, epoch))
            platform_limits.check_mask_updates_of(
                self.model, algorithm.schedule
            )
            prepare = optimizer_hook.install(
                flavor,
                self.model.optimizer,
                self._records,
                algorithm,
                for_one_fit=True,
                max_non_finite_steps=self._max_non_finite_steps,
            )

            if deferred.is_deferred(self.model):
                deferred.when_complete(self.model, prepare)
            else:
                prepare()
            self._installed = True
            self._agreement = self._make_agreement(flavor, algorithm)

        if self._agreement is not None:
            self._agreement.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends the run where steps or replicas are not as they should be."""
        del logs
        for guard in self._guards():
            guard.check()
        if self._agreement is not None:
            self._agreement.after_batch(batch)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds what became of the masks to the logs."""
        del epoch
        records = self._records()
        self._tell_of_empty(records)
        if logs is None:
            return

        counts = _counts(records)
        _, moved, skipped = counts - self._last_counts
        self._last_counts = counts

        total = diagnose_weights(self.model.name, records).total
        logs["sparsity"] = total.sparsity
        logs["mask_churn"] = float(moved / max(total.connections, 1))
        if total.exploration is not None:
            logs["mask_exploration"] = total.exploration
        if total.overlap_start is not None:
            logs["mask_overlap_start"] = total.overlap_start
        logs["dead_units"] = total.dead_units
        if skipped:
            logs["skipped_mask_updates"] = int(skipped)

        left_out = sum(guard.left_out for guard in self._guards())
        if left_out > self._steps_left_out:
            logs["skipped_steps"] = left_out - self._steps_left_out
            self._steps_left_out = left_out

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the optimizer as it was; the masks stay."""
        del logs
        optimizer_hook.uninstall(
            model_flavor(self.model), self.model.optimizer, self._records()
        )
        optimizer_hook.forget_traces(self.model)

    def _records(self) -> list[MaskedWeight]:
        """Returns the masked weights, once the optimizer is seen to fit."""
        records = require_masked_weights(self.model)
        attach.check_optimizer(
            model_flavor(self.model), self.model.optimizer, records
        )
        return records

    def _implements_train_batch_hooks(self) -> bool:
        """Answers Keras 2, which asks."""
        return self._max_non_finite_steps is not None or self._check_replicas

    def _make_agreement(
        self, flavor: Flavor, algorithm: Algorithm
    ) -> replica_check.CheckAfterUpdates | None:
        if not self._check_replicas:
            return None
        updating = flavor.updating_optimizers(self.model.optimizer)[0]
        watch = replica_check.UpdateWatch(
            algorithm.schedule,
            int(tf.convert_to_tensor(updating.iterations)),
            flavor.accumulation_steps(updating),
        )
        return replica_check.CheckAfterUpdates(self.model, watch)

    def _guards(self) -> list[NonFiniteGuard]:
        if self._max_non_finite_steps is None:
            return []
        return optimizer_hook.finite_guards(
            model_flavor(self.model), self.model.optimizer
        )

    def _tell_of_empty(self, records: list[MaskedWeight]) -> None:
        """Warns, once, of weights that have lost all of their connections."""
        empty = {record.path for record in records if not record.num_active()}
        if not empty <= self._told:
            warnings.warn(
                f"These weights have no connections left: {sorted(empty)}. "
                "What they should pass on is zero. Lower the sparsity, choose "
                "scope='weight', or leave them dense: sparsify(..., dense=...)"
                ".",
                stacklevel=2,
            )
            self._told |= empty

    def _total_steps(self, flavor: Flavor, first_epoch: int) -> int | None:
        """Returns the optimizer steps at the end of this `fit`; None: unknown.

        A `fit` that begins with a later epoch, or whose callbacks restore a
        checkpoint, goes on with a run, whose steps count from its beginning;
        any other adds its own to those that the optimizer had taken.
        """
        steps, epochs = self.params.get("steps"), self.params["epochs"]
        if steps is None:
            return None
        updating = flavor.updating_optimizers(self.model.optimizer)[0]
        announced = steps * epochs // flavor.accumulation_steps(updating)
        return announced + (self._taken if first_epoch == 0 else 0)


def _check_has_optimizer(model: Any) -> None:
    """Raises a ValueError if a model was compiled without an optimizer."""
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            "`UpdateMasks` works inside the optimizer that the model is "
            f"compiled with. Received: model={model.name!r} with "
            "optimizer=None. Compile it with an optimizer; for one that a "
            "`train_step` of your own applies, call tf_rigl.attach(optimizer, "
            "model, algorithm) before `fit`, without this callback."
        )


def _counts(records: list[MaskedWeight]) -> np.ndarray:
    """Sums updates, moved connections and left-out updates so far."""
    return np.sum([record.counters.numpy() for record in records], axis=0)
