"""The callback that writes the changes of mask updates."""

import json
import os
from typing import Any

from tf_rigl.backend.callback import ModelCallback
from tf_rigl.diagnostics.epoch_file import EpochFile
from tf_rigl.masking import masked_weight


class UpdateFile(ModelCallback):
    """Writes the connections that each mask update has moved as JSON lines.

    A line has the `step` after which it was written, counted from the start of
    the run; `epoch`, from 0; `total`; and `weights` by path. These two have
    `updates`, `moved` and `connections` as `tf_rigl.diagnose` counts them, so
    two lines tell what the updates between them moved. A line is of one update
    where updates are `interval` steps apart; it is of several for a method that
    updates masks in every step, or where a call of the compiled function takes
    more steps or a parameter server takes them later.

    Args:
        path: the file.
        interval: the number of steps from one mask update to the next.
        done: the steps of earlier processes; later lines are dropped.

    Raises:
        ValueError: when training begins, if the file cannot be written.
    """

    # Called in a thread of its own, it would read counters of later steps.
    async_safe = False

    def __init__(
        self, path: str | os.PathLike[str], interval: int, done: int
    ) -> None:
        super().__init__()
        self._file = EpochFile.of_json("output_dir", path, "step")
        self._interval = interval
        self._done = self._step = self._before_epoch = done
        self._epoch = 0
        self._weights: list[masked_weight.MaskedWeight] | None = None
        self._updates = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks that the file can be written."""
        del logs
        self._file.check()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the file with the lines of earlier steps."""
        del logs
        self._epoch, self._before_epoch = epoch, self._step
        if self._weights is None:
            # Other callbacks may have restored the masks only now.
            self._file.begin(self._done + 1)
            self._weights = masked_weight.masked_weights(self.model)
            self._updates = self._count_updates()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes a line after a step in which an update was due."""
        # Reading the logs would wait for the device.
        del logs
        before, self._step = self._step, self._before_epoch + batch + 1
        # The update of a multiple of the interval is in the step after it.
        if (self._step - 1) // self._interval > (before - 1) // self._interval:
            self._write()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes a line of updates that are not in the file yet."""
        del epoch, logs
        self._write()

    def _write(self) -> None:
        updates = self._count_updates()
        if updates == self._updates:
            return
        self._updates = updates
        rows = {weight.path: _numbers(weight) for weight in self._weights or ()}
        line = {
            "step": self._step,
            "epoch": self._epoch,
            "total": {
                "updates": updates,
                "moved": sum(row["moved"] for row in rows.values()),
                "connections": sum(row["connections"] for row in rows.values()),
            },
            "weights": rows,
        }
        self._file.append([json.dumps(line)])

    def _count_updates(self) -> int:
        counts = [int(one.counters.numpy()[0]) for one in self._weights or ()]
        return max(counts, default=0)


def _numbers(weight: masked_weight.MaskedWeight) -> dict[str, int]:
    updates, moved, _ = map(int, weight.counters.numpy())
    return {
        "updates": updates,
        "moved": moved,
        "connections": int(weight.num_active()),
    }
