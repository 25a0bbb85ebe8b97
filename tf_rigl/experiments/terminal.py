"""The command lines of the programs, and what they print."""

import datetime
import functools
import sys
import time
from collections.abc import Callable

from absl import app
from absl import flags
from absl import logging
from rich import console as consoles
from rich import progress

from tf_rigl.experiments import flag_files
from tf_rigl.experiments import tensorflow_output

FAILURE = 1  # exit code
# What wrong arguments and files raise; anything else is a bug, and its
# traceback is wanted.
USER_ERRORS = (ValueError, ImportError, OSError)


def start(
    work: Callable[..., int],
    names: int = 0,
    usage: str = "",
    catch: tuple[type[Exception], ...] = USER_ERRORS,
    description: str | None = None,
) -> None:
    """Parses a command line, runs a program and ends the process.

    The exit code is that of `work`, or 1 if it raises what is caught.

    Args:
        work: takes what the command line names after the flags.
        names: how many that are.
        usage: asks for them.
        catch: errors of which the user sees no traceback.
        description: what `--help` prints; None: the program's docstring.
    """

    def main(arguments: list[str]) -> int:
        if len(arguments) != 1 + names:
            unknown = " ".join(arguments[1:])
            raise app.UsageError(usage or f"Unknown arguments: {unknown}")

        tensorflow_output.import_quietly()
        # TensorFlow reports every step of an export, and each sum that it
        # traces, at level INFO.
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
            tensorflow_output.set_level("WARNING")
        try:
            return work(*arguments[1:])
        except catch as error:
            return fail(error)

    if description is not None:
        # Where absl finds what `--help` prints; it is a format to absl.
        sys.modules["__main__"].__doc__ = description.replace("%", "%%")
    app.run(main, flags_parser=flag_files.parse)


def fail(error: object) -> int:
    """Prints what the user can mend; returns the exit code."""
    print(f"Error: {error}", file=sys.stderr)
    return FAILURE


def printer(console: consoles.Console) -> Callable[[str], None]:
    """Returns a function that prints text as it is.

    There are no markup and no colors in it, and paths are not folded.
    """
    return functools.partial(
        console.print, markup=False, highlight=False, soft_wrap=True
    )


class Display:
    """Shows how far work is and how long it will take.

    A live bar on a terminal, lines in a log, which redrawings would fill.
    Enter the display for as long as the work goes on, so that an error or
    Ctrl-C gives the terminal its cursor back. Steps that were done before this
    process tell nothing of its speed.
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
        """Moves the bar, between what is under way and how it goes.

        The steps are all, those of earlier processes included.
        """
        self._done = done
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
        """Estimates from all steps so far, starts of processes included.

        Rich's own estimate sees the last half minute only, in which a sweep
        may not move at all.
        """
        done, left = self._done - self._before, self._total - self._done
        if done <= 0 or left <= 0:
            return ""
        seconds = (time.monotonic() - self._began) / done * left
        return f"{datetime.timedelta(seconds=round(seconds))} left"
