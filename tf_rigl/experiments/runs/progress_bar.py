"""How far a run is, and how long it will take: a bar, or lines in a log."""

import atexit
import time
from typing import Any

from rich import console as consoles
from rich import progress

from tf_rigl.backend.callback import ModelCallback
from tf_rigl.experiments.runs.plan import Plan

_LINES_IN_LOG = 10
# Names in the logs of Keras, and how to write them.
_SHOWN = (
    ("loss", "loss {:.3f}"),
    ("accuracy", "accuracy {:.2%}"),
    ("val_accuracy", "evaluation {:.2%}"),
    ("mask_churn", "moved {:.1%}"),
)


def show_progress(
    label: str, plan: Plan, done: int, console: consoles.Console
) -> ModelCallback:
    """Makes the callback that shows how a run goes on.

    On a terminal it is one live bar. Elsewhere, where a bar would fill the
    log with its redrawings, it is about ten lines for the whole run.

    Args:
        label: What is being trained.
        plan: The length of the run.
        done: Steps that were trained before.
        console: Where to write.
    """
    if console.is_terminal:
        return _LiveBar(label, plan, done, console)
    return _LogLines(label, plan, done, console)


def describe_epoch(logs: dict[str, Any] | None) -> str:
    """Puts an epoch's metrics in a few words."""
    return "  ".join(
        text.format(float(logs[name]))
        for name, text in _SHOWN
        if logs and name in logs
    )


class _Steps(ModelCallback):
    """Counts the steps of the run, those before this process included."""

    def __init__(self, done: int) -> None:
        super().__init__()
        self.steps = done
        self._before_epoch = done

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        del epoch, logs
        self._before_epoch = self.steps

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # The logs stay untouched: to read them would wait for the device.
        del logs
        self.steps = self._before_epoch + batch + 1

    def _implements_train_batch_hooks(self) -> bool:
        """Asked by Keras 2."""
        return True


class _LiveBar(_Steps):
    """Moves the bar; a thread of the bar's own redraws it."""

    def __init__(
        self, label: str, plan: Plan, done: int, console: consoles.Console
    ) -> None:
        super().__init__(done)
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=20),
            progress.TextColumn(
                "epoch {task.fields[epoch]}/{task.fields[epochs]}"
            ),
            progress.TextColumn("{task.fields[metrics]}"),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task(
            label,
            total=plan.total,
            completed=done,
            epoch=0,
            epochs=plan.epochs,
            metrics="",
        )

    def on_train_begin(self, logs: Any = None) -> None:
        del logs
        # Keras reports no end of training that an error or Ctrl-C ended, and
        # the terminal would stay without a cursor.
        atexit.register(self._bar.stop)
        self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._bar.update(self._task, epoch=epoch + 1)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch, logs)
        self._bar.update(self._task, completed=self.steps)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        del epoch
        self._bar.update(self._task, metrics=describe_epoch(logs))

    def on_train_end(self, logs: Any = None) -> None:
        del logs
        self._bar.stop()
        atexit.unregister(self._bar.stop)


class _LogLines(_Steps):
    """Prints every few epochs, and the last one."""

    def __init__(
        self, label: str, plan: Plan, done: int, console: consoles.Console
    ) -> None:
        super().__init__(done)
        self._label = label
        self._plan = plan
        self._done = done
        self._console = console
        self._interval = -(-plan.epochs // _LINES_IN_LOG)
        self._started: float | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        del logs
        if self._started is None:
            self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        number, epochs = epoch + 1, self._plan.epochs
        if number % self._interval and number != epochs:
            return
        self._console.print(
            f"{self._label}  epoch {number}/{epochs}  {describe_epoch(logs)}"
            f"{self._time_left()}",
            highlight=False,
            soft_wrap=True,
        )

    def _time_left(self) -> str:
        left = self._plan.total - self.steps
        trained = self.steps - self._done
        if left <= 0 or not trained or self._started is None:
            return ""
        seconds = (time.perf_counter() - self._started) / trained * left
        return f"  {_duration(seconds)} left"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
