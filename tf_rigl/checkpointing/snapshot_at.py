"""The callback that takes a snapshot at one step of the training."""

import os
import warnings
from typing import Any

import tensorflow as tf

from tf_rigl.backend.callback import ModelCallback
from tf_rigl.backend.flavor import model_flavor
from tf_rigl.checkpointing import optimizer_state
from tf_rigl.checkpointing.snapshot import Snapshot


class SnapshotAt(ModelCallback):
    """Takes a `Snapshot` when the optimizer has taken a number of steps.

    It is the values to which later rounds are rewound: those of step k, early
    in training (Frankle et al., arXiv:1912.05671, algorithm 2), or of step 0,
    before it. A former file is replaced once the new one is complete, so a
    training that is killed and begun again writes the same.

    Args:
        step: number of optimizer steps, 0 for the beginning.
        path: path of the file, which `Snapshot.load` reads.

    Raises:
        ValueError: if `step` is negative; when training begins, if the step
            has passed and there is no snapshot; during training, if it lies
            within one call of the device, as by `steps_per_execution`.

    Example:
        >>> model.fit(data, callbacks=[tf_rigl.SnapshotAt(500, "k.npz")])
        >>> tf_rigl.Snapshot.load("k.npz").restore(model)
    """

    # The step must be complete when its values are read.
    async_safe = False

    def __init__(self, step: int, path: str | os.PathLike[str]) -> None:
        super().__init__()
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            raise ValueError(
                "`step` must be a number of optimizer steps, 0 for the "
                f"beginning. Received: step={step!r}."
            )
        self._step = step
        self._path = os.fspath(path)
        self._begin: int | None = None  # optimizer steps before this `fit`
        # The first batch of this `fit` after which the step may be over.
        self._first_check = 0
        self._batches = 0  # trained in this `fit` before the current epoch
        self._last_batch = -1  # of the current epoch
        self._is_done = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Forgets an earlier `fit`."""
        del logs
        self._begin = None
        self._batches, self._last_batch = 0, -1
        self._is_done = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Takes the snapshot of the beginning.

        By the first epoch, other callbacks have restored a checkpoint.
        """
        del epoch, logs
        self._batches += self._last_batch + 1
        self._last_batch = -1
        if self._begin is None:
            self._begin = optimizer_state.steps_taken(self.model.optimizer)
            self._first_check = self._batches_until(self._step - self._begin)
            self._is_done = self._begin > self._step
            if self._is_done and not tf.io.gfile.exists(self._path):
                raise ValueError(
                    "A snapshot can only be taken of a step that is yet to "
                    f"come. Received: step={self._step} and a training that "
                    f"goes on from step {self._begin}, without a snapshot in "
                    f"{self._path!r}. Begin anew, or choose a later step."
                )
        self._take_if_due()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Takes the snapshot after the step's last batch."""
        del logs
        self._last_batch = batch
        self._take_if_due()

    def on_train_end(self, logs: Any = None) -> None:
        """Warns if training has ended before the step."""
        del logs
        if self._begin is not None and not self._is_done:
            warnings.warn(
                f"No snapshot was taken: training has ended before step "
                f"{self._step}. Train longer, or choose an earlier step.",
                stacklevel=1,
            )

    def _take_if_due(self) -> None:
        batches = self._batches + self._last_batch + 1
        if self._is_done or batches < self._first_check:
            return

        # Only now does the host wait for the device.
        steps = optimizer_state.steps_taken(self.model.optimizer)
        if steps > self._step:
            raise ValueError(
                "A snapshot is taken between two calls of the device. "
                f"Received: step={self._step}, which lies within the call that "
                f"ended with step {steps}. Choose a multiple of "
                "`steps_per_execution`."
            )
        if steps == self._step:
            Snapshot.of(self.model).save(self._path)
            self._is_done = True

    def _batches_until(self, steps: int) -> int:
        """Returns the fewest batches after which so many steps may be over.

        Gradients of earlier batches may have been accumulated.
        """
        flavor = model_flavor(self.model)
        one = flavor.updating_optimizers(self.model.optimizer)[0]
        return (steps - 1) * flavor.accumulation_steps(one) + 1
