"""Shows the progress of `fit`: a live bar, or a few lines in a log file."""

import atexit
from types import ModuleType
from typing import Any

from rich import console as consoles
from rich import progress

_LINES_IN_LOG = 10


def progress_callback(
    keras: ModuleType,
    label: str,
    epochs: int,
    steps_per_epoch: int,
    console: consoles.Console,
) -> Any:
    """Makes a Keras callback that shows how training goes on.

    On a terminal it is one live bar. Elsewhere, where a bar would fill the
    log with its redrawings, it is about ten lines for the whole run.

    Args:
        keras: The Keras of the model.
        label: What is being trained.
        epochs: Epochs in the run.
        steps_per_epoch: Steps in an epoch.
        console: Where to write.

    Returns:
        A callback of that Keras.
    """
    if console.is_terminal:
        return _live_bar(keras, label, epochs, steps_per_epoch, console)
    return _log_lines(keras, label, epochs, console)


def describe_epoch(logs: dict[str, Any] | None) -> str:
    """Puts an epoch's metrics in a few words."""
    if not logs:
        return ""
    parts = [
        f"loss {float(logs['loss']):.3f}" if "loss" in logs else "",
        f"accuracy {float(logs['accuracy']):.2%}" if "accuracy" in logs else "",
        f"moved {float(logs['mask_churn']):.1%}"
        if "mask_churn" in logs
        else "",
    ]
    return "  ".join(part for part in parts if part)


def _live_bar(
    keras: ModuleType,
    label: str,
    epochs: int,
    steps_per_epoch: int,
    console: consoles.Console,
) -> Any:
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=20),
        progress.TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        progress.TextColumn("{task.fields[metrics]}"),
        progress.TimeElapsedColumn(),
        console=console,
    )
    task = bar.add_task(
        label,
        total=epochs * steps_per_epoch,
        epoch=0,
        epochs=epochs,
        metrics="",
    )

    class LiveBar(keras.callbacks.Callback):  # type: ignore[name-defined]
        """Moves the bar; a thread of the bar's own redraws it."""

        def on_train_begin(self, logs: Any = None) -> None:
            del logs
            # Keras reports no end of training that an error or Ctrl-C ended,
            # and the terminal would stay without a cursor.
            atexit.register(bar.stop)
            bar.start()

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            del logs
            bar.update(task, epoch=epoch + 1)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            # The logs stay untouched: to read them would wait for the device.
            del batch, logs
            bar.advance(task)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            del epoch
            bar.update(task, metrics=describe_epoch(logs))

        def on_train_end(self, logs: Any = None) -> None:
            del logs
            bar.stop()
            atexit.unregister(bar.stop)

    return LiveBar()


def _log_lines(
    keras: ModuleType, label: str, epochs: int, console: consoles.Console
) -> Any:
    interval = -(-epochs // _LINES_IN_LOG)

    class LogLines(keras.callbacks.Callback):  # type: ignore[name-defined]
        """Prints every few epochs, and the last one."""

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            done = epoch + 1
            if done % interval == 0 or done == epochs:
                console.print(
                    f"{label}  epoch {done}/{epochs}  {describe_epoch(logs)}",
                    highlight=False,
                )

    return LogLines()
