"""The callback that updates masks during `fit` and reports."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.algorithms import Algorithm
from tf_rigl.integration import method_state
from tf_rigl.integration import optimizer_hook
from tf_rigl.integration.attach import check_algorithm
from tf_rigl.integration.attach import check_fits
from tf_rigl.integration.attach import check_not_attached
from tf_rigl.integration.attach import check_optimizer
from tf_rigl.integration.deferred import is_deferred
from tf_rigl.integration.deferred import when_complete
from tf_rigl.integration.diagnostics import diagnose_weights
from tf_rigl.integration.flavour import Flavour
from tf_rigl.integration.flavour import model_flavour
from tf_rigl.integration.masked_weight import MaskedWeight
from tf_rigl.integration.masked_weight import require_masked_weights


class ModelCallback:
    """A callback for either Keras: all of its hooks, none of which acts.

    Neither Keras asks for a subclass of its own `Callback`; both call these
    methods. So importing this module imports no Keras.
    """

    # Keras 2 may pass tensors in the logs of batches.
    _supports_tf_logs = True
    # Keras 3 need not wait for it between batches.
    async_safe = True

    def __init__(self) -> None:
        self.params: Mapping[str, Any] = {}
        self.model: Any = None

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Called by Keras with `epochs`, `steps` and `verbose`."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Called by Keras with the model."""
        self.model = model

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return _ignore
        if name.startswith("_implements_"):
            return _no
        raise AttributeError(name)


def _ignore(*args: Any, **kwargs: Any) -> None:
    del args, kwargs


def _no() -> bool:
    return False


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
      (arXiv:2102.02887); where `sparsify` was told `diagnostics=False`, not.
    - `mask_overlap_start`: the fraction of connections that were there at the
      start.
    - `dead_units`: the number of units without any connection.
    - `skipped_mask_updates`: of the epoch, because a gradient was not finite;
      where there were any.

    The same for each weight: `tf_rigl.MaskDiagnostics`, `tf_rigl.diagnose`.

    Args:
        algorithm: a method such as `tf_rigl.RigL()` or `tf_rigl.Static()`.

    Raises:
        TypeError: where `algorithm` is no method.
        ValueError: when training begins, where the model is dense, its
            optimizer cannot train sparse weights, or the number of steps is
            needed and unknown.

    Example:
        >>> model = tf_rigl.sparsify(model, sparsity=0.9)
        >>> model.compile("sgd", "mse")
        >>> model.fit(x, y, callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL())])
    """

    def __init__(self, algorithm: Algorithm) -> None:
        super().__init__()
        check_algorithm(algorithm)
        self.algorithm = algorithm
        self._installed = False
        self._last_counts = np.zeros(3, np.int64)

    def set_model(self, model: Any) -> None:
        """Has `fit` trace its step anew; it makes the function after this."""
        super().set_model(model)
        optimizer_hook.forget_traces(model)
        if not is_deferred(model):
            # Before other callbacks restore a checkpoint, which has it.
            method_state.keep(require_masked_weights(model), self.algorithm)

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks what can be checked before the first batch."""
        del logs
        self._installed = False
        self._last_counts = np.zeros(3, np.int64)
        flavour, optimizer = model_flavour(self.model), self.model.optimizer
        check_not_attached(flavour, optimizer)
        if not is_deferred(self.model):
            records = self._records()
            check_fits(self.algorithm, records)
            self._last_counts = _counts(records)
            optimizer_hook.uninstall(flavour, optimizer, records)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Installs the mask updates before the first epoch's first batch.

        Only here it is known whether training begins with a later epoch.
        """
        del logs
        if not self._installed:
            if not is_deferred(self.model):
                # Another callback may have restored a checkpoint.
                self._last_counts = _counts(self._records())
            flavour = model_flavour(self.model)
            prepare = optimizer_hook.install(
                flavour,
                self.model.optimizer,
                self._records,
                self.algorithm.resolve(self._total_steps(flavour, epoch)),
                for_one_fit=True,
            )
            if is_deferred(self.model):
                when_complete(self.model, prepare)
            else:
                prepare()
            self._installed = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds what became of the masks to the logs."""
        del epoch
        if logs is None:
            return
        records = self._records()
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

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the optimizer as it was; the masks stay."""
        del logs
        optimizer_hook.uninstall(
            model_flavour(self.model), self.model.optimizer, self._records()
        )
        optimizer_hook.forget_traces(self.model)

    def _records(self) -> list[MaskedWeight]:
        """The masked weights, once they and the optimizer fit together."""
        records = require_masked_weights(self.model)
        check_optimizer(
            model_flavour(self.model), self.model.optimizer, records
        )
        return records

    def _total_steps(self, flavour: Flavour, first_epoch: int) -> int | None:
        """Optimizer steps at the end of this `fit`, None if unannounced.

        A `fit` that begins with a later epoch goes on with a run, whose steps
        count from its beginning; one that begins with epoch 0 adds its own to
        those that the optimizer has taken.
        """
        steps, epochs = self.params.get("steps"), self.params["epochs"]
        if steps is None:
            return None
        optimizer = self.model.optimizer
        taken = int(tf.convert_to_tensor(optimizer.iterations))
        updating = flavour.updating_optimizers(optimizer)[0]
        announced = steps * epochs // flavour.accumulation_steps(updating)
        return announced + (taken if first_epoch == 0 else 0)


def _counts(records: list[MaskedWeight]) -> np.ndarray:
    """Updates, moved connections and left-out updates so far, summed."""
    return np.sum([record.counters.numpy() for record in records], axis=0)
