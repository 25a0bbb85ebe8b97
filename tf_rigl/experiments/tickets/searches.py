"""The processes of searches, and the files of their results."""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from rich import console as consoles

from tf_rigl.backend import atomic_files
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import __main__ as runner
from tf_rigl.experiments.runs import results
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import grid as grids
from tf_rigl.experiments.sweeps import processes
from tf_rigl.experiments.sweeps.request import LOG
from tf_rigl.experiments.tickets import __main__ as searcher
from tf_rigl.experiments.tickets import command_lines
from tf_rigl.experiments.tickets import progress
from tf_rigl.experiments.tickets import records
from tf_rigl.experiments.tickets import request
from tf_rigl.experiments.tickets import search
from tf_rigl.experiments.tickets import settings
from tf_rigl.experiments.tickets import tables

# Named by the imported module, so that build tools see the dependency.
_SEARCHER = str(searcher.__package__)
_LINES_OF_LOG = 8


class Searches:
    """Runs what is left of all searches and writes the results so far.

    Args:
        asked: what the flags ask for.
        run: the run of a search, whatever its seed and learning rate.
        model: its model, as before training.
        console: where to print.

    Raises:
        ValueError: if the folder of a search is in use, or has one with other
            settings.
    """

    def __init__(
        self,
        asked: settings.Asked,
        run: PreparedRun,
        model: Any,
        console: consoles.Console,
    ) -> None:
        self._asked = asked
        self._points = {point.name: point for point in settings.points(asked)}
        self._run = run
        self._folder = pathlib.Path(asked.options.output_dir)
        self._console = console
        self._failed: dict[str, int] = {}  # exit codes, by name
        self._progress = {
            name: progress.SearchProgress(
                self._search_folder(name), asked.search, run.plan
            )
            for name in self._points
        }

        for point in self._points.values():
            self._check(point, model)
        total = sum(one.total for one in self._progress.values())
        self._display = terminal.Display(total, self._steps(), console)

    def train(self) -> None:
        """Runs all searches that are not done.

        Raises:
            processes.SweepInterrupted: if a signal has ended the program.
            OSError: if a file cannot be written.
        """
        self._write_request()
        missing = [
            point
            for name, point in self._points.items()
            if not self._progress[name].is_done
        ]
        environment = {
            **processes.environment_of_share(self._asked.grid.jobs),
            runner.FOLLOWS_STDIN: "1",
        }
        with self._display:
            processes.run_all(
                map(self._job, missing),
                self._asked.grid.jobs,
                environment,
                self._watch,
            )

    def report(self) -> int:
        """Writes the results; prints the table and logs of failed searches.

        Returns:
            The exit code: 1 if a search has failed, else 0.
        """
        self._write_request()
        rows = self._write_results()
        if rows:
            table = tables.terminal_table(rows, self._heading())
            self._console.print(table)
        write = terminal.printer(self._console)
        write(f"Searches: {self._folder / request.SEARCHES}")
        write(f"Table and plots: {self._folder}")
        if optional_packages.has_report():
            # Imported here, since its packages are optional.
            from tf_rigl.experiments.tickets import page

            write(f"Page: {page.write_page(self._folder)}")

        for name, code in self._failed.items():
            log = self._search_folder(name) / LOG
            terminal.fail(f"{name} failed, exit code {code}: {log}")
            for line in processes.last_lines(log, _LINES_OF_LOG):
                print(f"    {line}", file=sys.stderr)
        return terminal.FAILURE if self._failed else 0

    def _search_folder(self, name: str) -> pathlib.Path:
        return self._folder / request.SEARCHES / name

    def _check(self, point: grids.Point, model: Any) -> None:
        """Raises a ValueError unless a search can begin or go on."""
        path = self._search_folder(point.name)
        folder = RunFolder(path)
        if not folder.configuration.exists():
            return
        options = dataclasses.replace(self._asked.options, output_dir=str(path))
        asked = self._asked._replace(base=point.settings, options=options)
        with folder.open(point.settings):  # free, with the same settings
            search.make_search(asked, model)  # and arguments

    def _job(self, point: grids.Point) -> processes.Job:
        folder = self._search_folder(point.name)
        arguments = command_lines.process_arguments(
            self._asked, point.settings, str(folder)
        )
        command = [sys.executable, "-m", _SEARCHER, *arguments]
        return processes.Job(point.name, command, folder / LOG)

    def _watch(self, running: list[str], ended: dict[str, int]) -> None:
        """Shows the progress, and writes results as searches end."""
        for name, code in ended.items():
            text = "done"
            if code or not self._is_done(name):
                self._failed[name] = code
                text = f"failed with exit code {code}"
            self._display.line(f"{name}  {text}")
            self._write_results()
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
        return f"{done}/{len(self._points)} searches"

    def _steps(self) -> int:
        return sum(one.read()[0] for one in self._progress.values())

    def _write_request(self) -> None:
        """Writes what is asked and what has failed, for the page."""
        request.write(
            self._folder,
            request.TicketsRequest(
                self._heading(),
                tuple(self._points),
                tuple(progress.trainings(self._asked.search)),
                command_lines.shared(self._asked),
                self._failed,
            ),
        )

    def _write_results(self) -> Sequence[records.SummaryRow]:
        """Writes the results so far, the table and the plots."""
        # Imported here, since it needs matplotlib and training does not.
        from tf_rigl.experiments.tickets import plots

        trainings = progress.trainings(self._asked.search)
        found = [
            training
            for name, point in self._points.items()
            for training in records.read(
                self._search_folder(name), trainings, point.settings
            )
        ]
        rows = records.summarize(found)
        if rows:
            csv = records.to_csv(found)
            atomic_files.write_text(self._folder / "results.csv", csv)
            table = tables.markdown(rows, self._heading())
            atomic_files.write_text(self._folder / "table.md", table)
            plots.write(self._folder, rows, self._heading().network)
        return rows

    def _heading(self) -> tables.Heading:
        base = self._asked.base
        versions = results.versions(self._run.keras)
        return tables.Heading(
            command_lines.program_command(self._asked),
            f"{base.model} on {base.data}",
            self._run.plan.total,
            self._asked.grid.seeds,
            ", ".join(f"{name} {one}" for name, one in versions.items()),
        )
