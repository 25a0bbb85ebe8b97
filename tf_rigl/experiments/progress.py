"""The display of long work: a live bar on a terminal, lines in a log."""

import time

from rich import console as consoles
from rich import progress

from tf_rigl.experiments.terminal import printer


class Display:
    """Shows how far work is and how long it will take.

    The bar is for terminals only: its redrawings would fill a log. Enter the
    display for as long as the work goes on, so that an error or Ctrl-C gives
    the terminal its cursor back.

    Args:
        total: steps of the whole work.
        done: steps that were done before this process.
        console: where to write.
    """

    def __init__(
        self, total: int, done: int, console: consoles.Console
    ) -> None:
        self.is_live = console.is_terminal
        self._total = total
        self._before = self._done = done
        self._began = time.monotonic()
        self._print = printer(console)

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=20),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.fields[left]}"),
            progress.TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            disable=not self.is_live,
        )
        self._task = self._bar.add_task(
            "", total=total, completed=done, left="", detail=""
        )

    def __enter__(self) -> "Display":
        self._began = time.monotonic()
        self._bar.start()
        return self

    def __exit__(self, *unused: object) -> None:
        del unused
        self._bar.stop()

    def show(self, done: int, label: str, detail: str) -> None:
        """Moves the bar.

        Args:
            done: steps in all, those of earlier processes included.
            label: what is under way, before the bar.
            detail: how it goes, after the bar.
        """
        self._done = done
        if self.is_live:
            self._bar.update(
                self._task,
                completed=done,
                description=label,
                left=self._time_left(),
                detail=detail,
            )

    def line(self, text: str) -> None:
        """Prints a line, with the time that is left."""
        self._print(f"{text}  {self._time_left()}".rstrip())

    def _time_left(self) -> str:
        seconds = seconds_left(
            time.monotonic() - self._began,
            self._done - self._before,
            self._total - self._done,
        )
        return "" if seconds is None else f"{duration(seconds)} left"


def seconds_left(elapsed: float, done: int, left: int) -> float | None:
    """Estimates the seconds of the steps left, starts of processes included.

    Returns:
        Seconds; None if it cannot be told or nothing is left.
    """
    return elapsed / done * left if done > 0 and left > 0 else None


def duration(seconds: float) -> str:
    """Writes seconds as in "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
