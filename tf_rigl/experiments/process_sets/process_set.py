"""Processes that each train several networks, and the results so far.

Ticket searches and compressions are such sets: a process for each seed and
learning rate, whose trainings follow one another.
"""

import abc
import pathlib
import sys
import types
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import Protocol

from rich import console as consoles

from tf_rigl.backend import atomic_files
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.process_sets import tables as set_tables
from tf_rigl.experiments.process_sets.request import RequestFile
from tf_rigl.experiments.process_sets.request import SetRequest
from tf_rigl.experiments.process_sets.set_flags import Asked
from tf_rigl.experiments.process_sets.set_flags import SetFlags
from tf_rigl.experiments.runs import __main__ as runner
from tf_rigl.experiments.runs import results
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import grid as grids
from tf_rigl.experiments.sweeps import processes
from tf_rigl.experiments.sweeps.request import LOG

_LINES_OF_LOG = 8


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


class ProcessSet(abc.ABC):
    """Runs what is left of all processes and writes the results so far.

    A subclass names in its attributes what its kind of sets has.

    Args:
        asked: what the flags ask for.
        run: the run of a process, whatever its seed and learning rate.
        console: where to print.

    Raises:
        ValueError: if the folder of a process is in use, or has one with other
            settings.
    """

    # What a process is called, in the plural, and the folder of all of them.
    kind: ClassVar[str]
    flags: ClassVar[SetFlags]
    file: ClassVar[RequestFile]
    module: ClassVar[str]  # that a process runs
    # `summarize` and `to_csv` of what `read` returns.
    summary: types.ModuleType
    # `page_cells` of the summary, and an `introduction` of a heading.
    table: types.ModuleType

    def __init__(
        self, asked: Asked, run: PreparedRun, console: consoles.Console
    ) -> None:
        self.asked = asked
        self.run = run
        self.folder = pathlib.Path(asked.options.output_dir)
        self.below = self.folder / self.kind
        points = asked.grid.points(asked.base)
        self.points = {point.name: point for point in points}
        for point in points:
            self._check_folder(point)

        self.failed: dict[str, int] = {}  # exit codes, by name
        self._progress = {
            name: self.progress_of(self.below / name) for name in self.points
        }
        self._jobs = asked.grid.jobs
        self._console = console
        total = sum(one.total for one in self._progress.values())
        self._display = terminal.Display(total, self._steps(), console)

    @property
    @abc.abstractmethod
    def trainings(self) -> Sequence[str]:
        """The names of the trainings of each process, in their order."""

    @abc.abstractmethod
    def check(self, point: grids.Point, path: pathlib.Path) -> None:
        """Raises a ValueError if a process was begun with other arguments."""

    @abc.abstractmethod
    def progress_of(self, path: pathlib.Path) -> Progress:
        """Returns how far the process of a folder has come."""

    @abc.abstractmethod
    def read(self, path: pathlib.Path, run: RunSettings) -> Sequence[Any]:
        """Reads what the process of a folder has trained so far."""

    @abc.abstractmethod
    def draw(self, rows: Sequence[Any]) -> None:
        """Writes the plots of a summary."""

    @abc.abstractmethod
    def write_page(self) -> pathlib.Path:
        """Writes the page; called only if its packages are installed."""

    def write_request(self) -> None:
        """Writes what is asked and what has failed, for the page."""
        self.file.write(
            self.folder,
            SetRequest(
                self.heading(),
                tuple(self.points),
                tuple(self.trainings),
                self.flags.shared(self.asked),
                self.failed,
            ),
        )

    def write_results(self) -> Sequence[Any]:
        """Writes the results so far, the table and the plots."""
        found = [
            one
            for name, point in self.points.items()
            for one in self.read(self.below / name, point.settings)
        ]
        rows = self.summary.summarize(found)
        if rows:
            csv = self.summary.to_csv(found)
            atomic_files.write_text(self.folder / "results.csv", csv)
            table = set_tables.markdown(*self._table(rows))
            atomic_files.write_text(self.folder / "table.md", table)
            self.draw(rows)
        return rows

    def heading(self) -> set_tables.Heading:
        """Returns the facts in the introduction of the table."""
        base = self.asked.base
        versions = results.versions(self.run.keras)
        return set_tables.Heading(
            self.flags.program_command(self.asked),
            f"{base.model} on {base.data}",
            self.run.plan.total,
            self.asked.grid.seeds,
            ", ".join(f"{name} {one}" for name, one in versions.items()),
        )

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
            self._console.print(set_tables.terminal_table(*self._table(rows)))
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

    def _check_folder(self, point: grids.Point) -> None:
        """Raises a ValueError unless a process can begin or go on."""
        path = self.below / point.name
        folder = RunFolder(path)
        if not folder.configuration.exists():
            return
        with folder.open(point.settings):  # free, with the same settings
            self.check(point, path)

    def _table(
        self, rows: Sequence[Any]
    ) -> tuple[set_tables.Cells, str, set_tables.Heading]:
        heading = self.heading()
        cells = self.table.page_cells(rows)
        return cells, self.table.introduction(heading), heading

    def _job(self, point: grids.Point) -> processes.Job:
        folder = self.below / point.name
        arguments = self.flags.process_arguments(
            self.asked, point.settings, str(folder)
        )
        command = [sys.executable, "-m", self.module, *arguments]
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
