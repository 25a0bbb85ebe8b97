"""One line of metrics an epoch, in a file that survives restarts."""

import json
import math
import os
import pathlib
import time
from typing import Any

from tf_rigl.backend.callback import ModelCallback
from tf_rigl.diagnostics.epoch_file import EpochFile


class MetricsFile(ModelCallback):
    """Writes JSON lines: the metrics of each epoch.

    A line has `epoch`, from 0; `steps` and `seconds`, which those metrics
    cover: fewer than of a whole epoch where it was begun by a process that
    was killed; and what Keras measured, null where it is not finite.

    Args:
        path: Of the file.
        writes: Whether this process does, of several that train together.

    Raises:
        ValueError: When training begins, if the file can't be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], writes: bool = True
    ) -> None:
        super().__init__()
        self._file = EpochFile("output_dir", path, "", _epoch_of)
        self._writes = writes
        self._started: float | None = None
        self._began = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks that the file can be written."""
        del logs
        self._began = False
        if self._writes:
            self._file.check()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begins the file, without lines of this epoch and later ones."""
        del logs
        if self._writes and not self._began:
            self._file.begin(epoch)
        self._began = True
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Adds the line of the epoch."""
        if not self._writes:
            return
        seconds = time.perf_counter() - (self._started or 0.0)
        line = {
            "epoch": epoch,
            "steps": self.params.get("steps"),
            "seconds": round(seconds, 3),
            **{
                name: _finite(float(value))
                for name, value in (logs or {}).items()
            },
        }
        self._file.append([json.dumps(line, allow_nan=False)])


def read_metrics(path: pathlib.Path) -> list[dict[str, Any]]:
    """The lines of a file of metrics, in order; none where it is missing."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _epoch_of(line: str) -> int:
    found = json.loads(line)
    if not isinstance(found, dict) or not isinstance(found.get("epoch"), int):
        raise ValueError(f"No line of metrics: {line!r}.")
    return found["epoch"]
