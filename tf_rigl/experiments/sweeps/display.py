"""How far a sweep is, and how long it will take."""

import time
from collections.abc import Mapping

from rich import console as consoles
from rich import progress

from tf_rigl.experiments.terminal import printer


class Display:
    """A bar over the steps of all runs, and a line for each that ends.

    Elsewhere than on a terminal there are only the lines.

    Args:
        total: Steps of all runs.
        done: Steps that were trained before.
        runs: How many runs there are.
        ended: How many had ended before.
        console: Where to write.
    """

    def __init__(
        self,
        total: int,
        done: int,
        runs: int,
        ended: int,
        console: consoles.Console,
    ) -> None:
        self._total = total
        self._before = self._done = done
        self._runs = runs
        self._ended = ended
        self._began = time.monotonic()
        self._print = printer(console)
        self._bar = progress.Progress(
            progress.TextColumn("{task.fields[runs]}"),
            progress.BarColumn(bar_width=20),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.fields[left]}"),
            progress.TextColumn("{task.description}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(
            "", total=total, completed=done, runs="", left=""
        )

    def __enter__(self) -> "Display":
        self._bar.start()
        return self

    def __exit__(self, *unused: object) -> None:
        del unused
        self._bar.stop()

    def show(self, done: int, running: Mapping[str, object]) -> None:
        """Moves the bar.

        Args:
            done: Steps trained in all.
            running: The names of the runs that are being trained.
        """
        self._done = done
        self._bar.update(
            self._task,
            completed=done,
            description=", ".join(running),
            runs=f"{self._ended}/{self._runs} runs",
            left=self._left(),
        )

    def line(self, text: str) -> None:
        """Prints what a run that has ended gave."""
        self._ended += 1
        self._print(
            f"{text}  {self._ended}/{self._runs} runs  {self._left()}".rstrip()
        )

    def _left(self) -> str:
        seconds = seconds_left(
            time.monotonic() - self._began,
            self._done - self._before,
            self._total - self._done,
        )
        return "" if seconds is None else f"{duration(seconds)} left"


def seconds_left(elapsed: float, trained: int, left: int) -> float | None:
    """Reckons how long the rest takes, starts of processes included.

    Args:
        elapsed: Seconds until now.
        trained: Steps in that time.
        left: Steps that are left.

    Returns:
        Seconds; None where it can't be told or nothing is left.
    """
    return elapsed / trained * left if trained > 0 and left > 0 else None


def duration(seconds: float) -> str:
    """Writes seconds as in "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
