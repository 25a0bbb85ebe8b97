"""Command lines, messages and progress displays of the programs."""

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

FAILURE = 1  # the exit code of a program that has failed
# The errors that wrong arguments and files raise. Any other error is a bug, so
# its traceback is printed.
USER_ERRORS = (ValueError, ImportError, OSError)


def start(
    work: Callable[..., int],
    names: int = 0,
    usage: str = "",
    catch: tuple[type[Exception], ...] = USER_ERRORS,
    description: str | None = None,
) -> None:
    """Parses a command line, runs a program and exits.

    The exit code is the result of `work`, or 1 after an error in `catch`.

    Args:
        work: the program, called with the positional arguments.
        names: the number of positional arguments.
        usage: the message if their number is wrong.
        catch: the errors that are printed without a traceback.
        description: the text of `--help`; None for the program's docstring.
    """

    def main(arguments: list[str]) -> int:
        if len(arguments) != 1 + names:
            unknown = " ".join(arguments[1:])
            raise app.UsageError(usage or f"Unknown arguments: {unknown}")

        tensorflow_output.import_quietly()
        # At level INFO, TensorFlow reports every step of an export and every
        # sum that it traces.
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
    """Prints an error that the user can fix; returns the exit code."""
    print(f"Error: {error}", file=sys.stderr)
    return FAILURE


def printer(console: consoles.Console) -> Callable[[str], None]:
    """Returns a function that prints text without markup, color or wraps."""
    return functools.partial(
        console.print, markup=False, highlight=False, soft_wrap=True
    )


class Display:
    """Shows the progress of work and the estimated time left.

    A terminal gets a live bar. A log, which redrawing would fill, gets only
    the lines of `line`. Use it as a context manager around the work, so that
    the terminal gets its cursor back after an error or Ctrl-C. The estimate
    ignores the `done` steps of earlier processes.
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
        """Updates the bar, which is between `label` and `detail`.

        `done` is the number of all steps, earlier processes included.
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
        """Prints a line of text and the estimated time left."""
        self._print(f"{text}  {self._time_left()}".rstrip())

    def _time_left(self) -> str:
        """Estimates the time left from all steps of this process.

        Rich's own estimate uses only the last half minute, in which a sweep
        may make no progress.
        """
        done, left = self._done - self._before, self._total - self._done
        if done <= 0 or left <= 0:
            return ""
        seconds = (time.monotonic() - self._began) / done * left
        return f"{datetime.timedelta(seconds=round(seconds))} left"
