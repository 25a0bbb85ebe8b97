"""The callback that writes metrics every few optimizer steps."""

import json
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.callback import ModelCallback
from tf_rigl.diagnostics import epoch_file
from tf_rigl.experiments.runs import batch_logs
from tf_rigl.masking import masked_weight

Path = str | os.PathLike[str]


class StepMetrics(ModelCallback):
    """Writes metrics every few steps, as JSON lines and for TensorBoard.

    A line has the `step` after which it was written, counted from the start of
    the run; `epoch`, from 0; `steps` and `seconds`, which the line covers; the
    `learning_rate` of the last step; and the means of the loss and the metrics
    over its steps, null if not finite. For a masked model it also has
    `mask_updates`, the number of mask updates so far, and `mask_churn`, the
    fraction of active connections that those of its steps moved. In TensorBoard
    the names begin with `step_`.

    Lines are written at multiples of `every` steps, or the first step after one
    where a call of the compiled function takes several, and after the last
    step. Nothing is written where Keras gives no values of a step, as with a
    parameter server.

    Args:
        path: the JSON lines file.
        log_dir: the folder for TensorBoard; None to write nothing there.
        every: the number of steps from one line to the next, at least 1.
        done: the steps of earlier processes; later lines are dropped.
        total: the steps of the whole run.
        rate: the learning rate of a step, counted from 0.

    Raises:
        ValueError: when training begins, if the file cannot be written.
    """

    # Called in a thread of its own, it would read counters of later steps.
    async_safe = False

    def __init__(
        self,
        path: Path,
        log_dir: Path | None,
        every: int,
        done: int,
        total: int,
        rate: Callable[[int], Any],
    ) -> None:
        super().__init__()
        self._file = epoch_file.EpochFile.of_json("output_dir", path, "step")
        self._log_dir = log_dir
        self._every = every
        self._step = self._done = done
        self._total = total
        self._rate = rate
        self._epoch = 0
        self._before_epoch = self._written = done

        self._writer: Any = None
        self._began = False
        self._logs: Any = None  # of the last batch
        self._time = 0.0
        # Keras's metrics are means since the start of the epoch. Sums over the
        # steps of a line are differences of their sums.
        self._carried: dict[str, float] = {}
        self._weights: list[masked_weight.MaskedWeight] = []
        self._moved = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks that the file can be written, and opens TensorBoard's."""
        del logs
        if not self._began:
            self._file.check()
        if self._log_dir is not None:
            self._writer = tf.summary.create_file_writer(
                os.fspath(self._log_dir)
            )

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the file with the lines of the steps before."""
        del logs
        if not self._began:
            # Callbacks may have restored masks only now.
            self._file.begin(self._done + 1)
            self._weights = masked_weight.masked_weights(self.model)
            self._moved = self._counts()[1]
            self._time = time.perf_counter()
        self._began = True
        self._epoch = epoch
        self._before_epoch = self._step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes a line if one is due."""
        before = self._step
        self._step = self._before_epoch + batch + 1
        self._logs = logs
        is_due = self._step // self._every > before // self._every
        if is_due or self._step == self._total:
            self._write()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps the sums of the epoch, whose metrics Keras resets."""
        del epoch, logs
        self._carried = self._sums()
        self._logs = None

    def on_train_end(self, logs: Any = None) -> None:
        """Closes TensorBoard's file."""
        del logs
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _sums(self) -> dict[str, float]:
        means = batch_logs.batch_means(self.model, self._logs)
        steps = self._step - self._before_epoch
        return {
            name: self._carried.get(name, 0.0) + steps * mean
            for name, mean in means.items()
        }

    def _write(self) -> None:
        sums, steps = self._sums(), self._step - self._written
        if not sums:
            return
        now = time.perf_counter()
        numbers = {
            "learning_rate": float(self._rate(self._step - 1)),
            **{name: value / steps for name, value in sums.items()},
            **self._mask_numbers(),
        }
        # What is written is left out of the epoch's sums from here on.
        for name, value in sums.items():
            self._carried[name] = self._carried.get(name, 0.0) - value
        self._written = self._step

        line = {
            "step": self._step,
            "epoch": self._epoch,
            "steps": steps,
            "seconds": round(now - self._time, 3),
            **epoch_file.finite(numbers),
        }
        self._time = now
        self._file.append([json.dumps(line, allow_nan=False)])

        if self._writer is not None:
            with self._writer.as_default(step=self._step):
                for name, value in numbers.items():
                    tf.summary.scalar(f"step_{name}", value)
            self._writer.flush()

    def _mask_numbers(self) -> dict[str, float]:
        if not self._weights:
            return {}
        updates, moved = self._counts()
        since, self._moved = moved - self._moved, moved

        churn = 0.0
        if since:
            active = sum(weight.num_active() for weight in self._weights)
            churn = since / max(active, 1)
        return {"mask_updates": updates, "mask_churn": churn}

    def _counts(self) -> tuple[int, int]:
        """Counts mask updates, and the connections that they have moved."""
        counters = [weight.counters.numpy() for weight in self._weights]
        updates, moved, _ = np.reshape(counters, [-1, 3]).T
        return int(updates.max(initial=0)), int(moved.sum())
