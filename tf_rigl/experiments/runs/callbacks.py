"""Callbacks that write the metrics of a run and show its progress."""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from tf_rigl.backend.callback import ModelCallback
from tf_rigl.diagnostics import epoch_file
from tf_rigl.experiments.runs import batch_logs
from tf_rigl.experiments.runs.plan import RunPlan
from tf_rigl.experiments.terminal import Display

_LINES_IN_LOG = 10
# Names in the logs of Keras, and the formats in which they are shown.
_SHOWN = {
    "loss": "loss {:.3f}",
    "accuracy": "accuracy {:.2%}",
    "val_accuracy": "evaluation {:.2%}",
    "mask_churn": "moved {:.1%}",
}
_TRACING = "tracing the step…"


class MetricsFile(ModelCallback):
    """Writes the metrics of each epoch as JSON lines.

    A line has `epoch`, from 0; the `steps` and `seconds` that the metrics
    cover, which are part of an epoch if an earlier process was killed in it;
    and the logs of Keras, null if not finite. Of several workers, one `writes`.

    Raises:
        ValueError: when training begins, if the file cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], writes: bool = True
    ) -> None:
        super().__init__()
        self._file = epoch_file.EpochFile.of_json("output_dir", path)
        self._writes = writes
        self._started = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Checks that the file can be written."""
        del logs
        if self._writes:
            self._file.check()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Starts the file with the lines of earlier epochs."""
        del logs
        if self._writes:
            self._file.begin_once(epoch)
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Appends the line of the epoch."""
        if not self._writes:
            return

        seconds = time.perf_counter() - self._started
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        line = {
            "epoch": epoch,
            "steps": self.params.get("steps"),
            "seconds": round(seconds, 3),
            **epoch_file.finite(numbers),
        }
        self._file.append([json.dumps(line, allow_nan=False)])


class ShowProgress(ModelCallback):
    """Updates a live bar; in a log, prints a line a minute.

    A log also gets a line when training begins, since the first step takes
    long to trace, and about ten lines with the metrics of epochs.
    """

    def __init__(
        self, label: str, plan: RunPlan, done: int, display: Display
    ) -> None:
        super().__init__()
        self._label = label
        self._plan = plan
        self._display = display
        self._interval = -(-plan.epochs // _LINES_IN_LOG)
        self._steps = self._before_epoch = done
        self._epoch = ""
        self._traced = False
        self._numbers: dict[str, float] = {}  # the newest, by name

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes how many steps preceded the epoch."""
        del logs
        self._before_epoch = self._steps
        self._epoch = f"epoch {epoch + 1}/{self._plan.epochs}"
        if self._traced:
            self._show()
        elif self._display.is_live:
            self._display.show(self._steps, self._label, _TRACING)
        else:
            self._display.line(f"{self._label}  {_TRACING}")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Shows step, speed and loss now and then."""
        self._steps = self._before_epoch + batch + 1
        if not self._traced:
            self._traced = True
            self._display.begin(self._steps)
        if not self._display.is_due:
            return

        self._read(batch_logs.batch_means(self.model, logs))
        self._show()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Shows the metrics of the epoch."""
        self._read(logs or {})

        number = epoch + 1
        is_due = not number % self._interval or number == self._plan.epochs
        if is_due and not self._display.is_live:
            self._display.line(f"{self._label}  {self._detail()}")
        else:
            self._show()

    def _read(self, logs: Mapping[str, Any]) -> None:
        for name in _SHOWN:
            if name in logs:
                self._numbers[name] = float(logs[name])

    def _show(self) -> None:
        self._display.show(self._steps, self._label, self._detail())

    def _detail(self) -> str:
        self._display.advance(self._steps)
        parts = [self._epoch, f"step {self._steps:,}/{self._plan.total:,}"]
        if self._display.speed:
            parts.append(_pace(self._display.speed))
        parts += [
            text.format(self._numbers[name])
            for name, text in _SHOWN.items()
            if name in self._numbers
        ]
        return "  ".join(parts)


def _pace(speed: float) -> str:
    """Formats steps per second, or seconds per step where that is larger."""
    if speed < 1:
        return f"{1 / speed:.3g} s/step"
    return f"{speed:,.0f} steps/s" if speed >= 100 else f"{speed:.3g} steps/s"
