"""Processes that each train several networks, and the results so far.

Ticket searches and compressions are such sets: a process for each seed and
learning rate, whose trainings follow one another.
"""

import abc
import pathlib
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Generic
from typing import Protocol
from typing import TypeVar

from rich import console as consoles

from tf_rigl.core import text_table
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import __main__ as runner
from tf_rigl.experiments.sweeps import grid as grids
from tf_rigl.experiments.sweeps import processes
from tf_rigl.experiments.sweeps.request import LOG

_LINES_OF_LOG = 8

_Row = TypeVar("_Row")


class Progress(Protocol):
    """How far one process has come."""

    @property
    def total(self) -> int:
        """The steps of all its trainings."""

    @property
    def is_done(self) -> bool:
        """Whether all trainings have ended."""

    def read(self) -> tuple[int, str]:
        """Returns the steps taken so far, and where it is, in words."""


class ProcessSet(abc.ABC, Generic[_Row]):
    """Runs what is left of all processes and writes the results so far.

    Args:
        kind: what a process is called, in the plural.
        folder: the folder of the results.
        below: the name of the folder, within it, of the processes.
        points: the name and the settings of each process.
        progress: how far each has come, by name.
        jobs: the number of processes at once.
        console: where to print.
    """

    def __init__(
        self,
        kind: str,
        folder: pathlib.Path,
        below: str,
        points: Sequence[grids.Point],
        progress: Mapping[str, Progress],
        jobs: int,
        console: consoles.Console,
    ) -> None:
        self.kind = kind
        self.folder = folder
        self.below = folder / below
        self.points = {point.name: point for point in points}
        self.failed: dict[str, int] = {}  # exit codes, by name
        self._progress = progress
        self._jobs = jobs
        self._console = console
        total = sum(one.total for one in progress.values())
        self._display = terminal.Display(total, self._steps(), console)

    @abc.abstractmethod
    def command(self, point: grids.Point, folder: pathlib.Path) -> list[str]:
        """Returns the command that runs one process in a folder."""

    @abc.abstractmethod
    def write_request(self) -> None:
        """Writes what is asked and what has failed, for the page."""

    @abc.abstractmethod
    def write_results(self) -> Sequence[_Row]:
        """Writes the results so far, the table and the plots."""

    @abc.abstractmethod
    def table(self, rows: Sequence[_Row]) -> text_table.TextTable:
        """Returns the table for the terminal."""

    @abc.abstractmethod
    def write_page(self) -> pathlib.Path:
        """Writes the page; called only if its packages are installed."""

    def train(self) -> None:
        """Runs all processes that are not done.

        Raises:
            processes.SweepInterrupted: if a signal has ended the program.
            OSError: if a file cannot be written.
        """
        self.write_request()
        missing = [
            point
            for name, point in self.points.items()
            if not self._progress[name].is_done
        ]
        environment = {
            **processes.environment_of_share(self._jobs),
            runner.FOLLOWS_STDIN: "1",
        }
        with self._display:
            processes.run_all(
                map(self._job, missing), self._jobs, environment, self._watch
            )

    def report(self) -> int:
        """Writes the results; prints the table and logs of what has failed.

        Returns:
            The exit code: 1 if a process has failed, else 0.
        """
        self.write_request()
        rows = self.write_results()
        if rows:
            self._console.print(self.table(rows))
        write = terminal.printer(self._console)
        write(f"{self.kind.capitalize()}: {self.below}")
        write(f"Table and plots: {self.folder}")
        if optional_packages.has_report():
            write(f"Page: {self.write_page()}")

        for name, code in self.failed.items():
            log = self.below / name / LOG
            terminal.fail(f"{name} failed, exit code {code}: {log}")
            for line in processes.last_lines(log, _LINES_OF_LOG):
                print(f"    {line}", file=sys.stderr)
        return terminal.FAILURE if self.failed else 0

    def _job(self, point: grids.Point) -> processes.Job:
        folder = self.below / point.name
        command = self.command(point, folder)
        return processes.Job(point.name, command, folder / LOG)

    def _watch(self, running: list[str], ended: dict[str, int]) -> None:
        """Shows the progress, and writes results as processes end."""
        for name, code in ended.items():
            text = "done"
            if code or not self._is_done(name):
                self.failed[name] = code
                text = f"failed with exit code {code}"
            self._display.line(f"{name}  {text}")
            self.write_results()
        if self._display.is_due:
            places = [
                f"{name}: {self._progress[name].read()[1]}" for name in running
            ]
            self._display.show(self._steps(), self._ended(), "  ".join(places))

    def _is_done(self, name: str) -> bool:
        self._progress[name].read()
        return self._progress[name].is_done

    def _ended(self) -> str:
        done = sum(one.is_done for one in self._progress.values())
        return f"{done}/{len(self.points)} {self.kind}"

    def _steps(self) -> int:
        return sum(one.read()[0] for one in self._progress.values())
