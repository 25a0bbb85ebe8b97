"""Command lines, messages and progress displays of the programs."""

import collections
import datetime
import functools
import signal
import sys
import time
from collections.abc import Callable

from absl import app
from absl import flags
from absl import logging
from rich import console as consoles
from rich import live
from rich import progress
from rich import text

from tf_rigl.experiments import flag_files
from tf_rigl.experiments import tensorflow_output

FAILURE = 1  # the exit code of a program that has failed
# The errors that wrong arguments and files raise. Any other error is a bug, so
# its traceback is printed.
# What a shell reports of a process that SIGINT has ended.
_INTERRUPTED = 128 + signal.SIGINT
USER_ERRORS = (ValueError, ImportError, OSError)

_LOG_SECONDS = 60  # from one line of a log to the next
# From one update of the bar to the next, for which training may wait.
_LIVE_SECONDS = 0.5
_LIVE_SAMPLES = 60  # updates from which the speed is computed


def start(
    work: Callable[..., int],
    names: int = 0,
    usage: str = "",
    catch: tuple[type[Exception], ...] = USER_ERRORS,
    description: str | None = None,
    more: bool = False,
) -> None:
    """Parses a command line, runs a program and exits.

    The exit code is the result of `work`, or 1 after an error in `catch`.

    Args:
        work: the program, called with the positional arguments.
        names: the number of positional arguments.
        usage: the message if their number is wrong.
        catch: the errors that are printed without a traceback.
        description: the text of `--help`; None for the program's docstring.
        more: whether there may be more positional arguments than `names`.
    """

    def main(arguments: list[str]) -> int:
        count = len(arguments) - 1
        if count < names or (count > names and not more):
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
        except KeyboardInterrupt:
            print("Interrupted. What was saved stays.", file=sys.stderr)
            return _INTERRUPTED

    if description is not None:
        # Where absl finds what `--help` prints; it is a format to absl.
        sys.modules["__main__"].__doc__ = description.replace("%", "%%")
    try:
        app.run(main, flags_parser=flag_files.parse)
    except SystemExit as ended:
        # absl ends with 1 after it has printed the help that was asked for.
        raise SystemExit(0 if _asks_for_help() else ended.code) from None


def _asks_for_help() -> bool:
    return any(one.lstrip("-").startswith("help") for one in sys.argv[1:])


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

    A terminal gets a live bar, and below it the details, as many to a line as
    fit. A log, which redrawing would fill, gets a line a minute and the lines
    of `line`. Use it as a context manager around the work, so that the terminal
    gets its cursor back after an error or Ctrl-C. The estimate ignores the
    `done` steps of earlier processes.
    """

    def __init__(
        self, total: int, done: int, console: consoles.Console
    ) -> None:
        self.is_live = console.is_terminal
        self._total = total
        self._before = self._done = done
        self._began = self._told = time.monotonic()
        self._print = printer(console)

        self._bar = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=20),
            progress.TaskProgressColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._task = self._bar.add_task(
            "", total=total, completed=done, left=""
        )
        self._detail = ""
        # The times of the last steps that were told; in a log, of two lines.
        self._samples: collections.deque[tuple[float, int]] = collections.deque(
            [(self._began, done)],
            maxlen=_LIVE_SAMPLES if self.is_live else 2,
        )
        self._live = live.Live(get_renderable=self._renderable, console=console)

    def __enter__(self) -> "Display":
        self.begin(self._done)
        if self.is_live:
            self._live.start()
        return self

    def __exit__(self, *unused: object) -> None:
        del unused
        self._live.stop()

    def begin(self, done: int) -> None:
        """Takes the time left from the steps after `done`, and from now on.

        What comes before, such as tracing, does not repeat itself.
        """
        self._before = self._done = done
        self._began = self._told = time.monotonic()
        self._samples.clear()
        self.advance(done)

    @property
    def is_due(self) -> bool:
        """Returns whether it is time to `show` something new.

        Steps may be much faster than the eye, or than the lines of a log.
        """
        interval = _LIVE_SECONDS if self.is_live else _LOG_SECONDS
        return time.monotonic() - self._told >= interval

    @property
    def speed(self) -> float:
        """Steps per second of late; 0 if not known yet."""
        (first, before), (last, now) = self._samples[0], self._samples[-1]
        return (now - before) / (last - first) if last > first else 0.0

    def advance(self, done: int) -> None:
        """Notes the number of all steps, earlier processes included."""
        self._done = done
        if not self._samples or self._samples[-1][1] != done:
            self._samples.append((time.monotonic(), done))

    def show(self, done: int, label: str, detail: str) -> None:
        """Updates the bar, or prints a line if none has been for a minute.

        `done` is the number of all steps. The bar is behind `label`. `detail`
        has parts that are two spaces apart.
        """
        self.advance(done)
        self._detail = detail
        if self.is_live:
            self._told = time.monotonic()
            self._bar.update(
                self._task,
                completed=done,
                description=label,
                left=self._time_left(),
            )
        elif self.is_due:
            self.line(f"{label}  {detail}")

    def line(self, message: str) -> None:
        """Prints a message and the estimated time left."""
        self._told = time.monotonic()
        self._print(f"{message}  {self._time_left()}".rstrip())

    def _renderable(self) -> consoles.Group:
        """Returns the bar, and the lines of the details that fit."""
        width = self._bar.console.width
        return consoles.Group(
            self._bar, text.Text("\n".join(_lines(self._detail, width)))
        )

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


def _lines(detail: str, width: int) -> list[str]:
    """Breaks a text between its parts, which are two spaces apart."""
    lines = [""]
    for part in detail.split("  "):
        longer = f"{lines[-1]}  {part}".strip()
        if len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines
