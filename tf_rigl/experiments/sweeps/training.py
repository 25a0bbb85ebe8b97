"""Training of the missing runs of a sweep, and its results."""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from rich import console as consoles

from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import __main__ as runner
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs.settings import contradictions
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import grid
from tf_rigl.experiments.sweeps import processes
from tf_rigl.experiments.sweeps import records
from tf_rigl.experiments.sweeps import request
from tf_rigl.experiments.sweeps import result_files
from tf_rigl.experiments.sweeps import tables

_LINES_OF_LOG = 8


class SweepTraining:
    """Trains the missing runs of a sweep and writes the results so far.

    Raises:
        ValueError: if the folder of the results is not writable, or the
            folder of a run is in use or has a run with other settings.
    """

    def __init__(
        self,
        sweep: grid.Sweep,
        points: Sequence[grid.Point],
        run: PreparedRun,
        console: consoles.Console,
    ) -> None:
        self._sweep = sweep
        self._points = {point.name: point for point in points}
        self._plan = run.plan
        self._results = run_folder.make_folder(
            pathlib.Path(sweep.grid.results_dir or sweep.options.output_dir),
            "results_dir",
        )
        self._folder = pathlib.Path(sweep.options.output_dir)
        self._runs = self._folder / request.RUNS
        self._folders = {
            name: run_folder.RunFolder(self._runs / name)
            for name in self._points
        }
        self._console = console
        self._records: dict[str, dict[str, Any]] = {}
        self._failed: dict[str, int] = {}  # exit codes, by the name of the run

        for name, point in self._points.items():
            folder = self._folders[name]
            if folder.configuration.exists():
                with folder.open(point.settings):
                    pass  # checks that it is free and has the same settings
            self._read(name)
        self.missing = [
            point for point in points if point.name not in self._records
        ]
        self._epochs = {
            name: point.settings.total_epochs
            for name, point in self._points.items()
        }
        steps = run.plan.per_epoch * sum(self._epochs.values())
        self._display = terminal.Display(steps, self._steps(), console)

    def train(self) -> None:
        """Trains all missing runs.

        Raises:
            processes.SweepInterrupted: if a signal has ended the sweep.
            OSError: if a file cannot be written.
        """
        self._write_request()
        self._write()
        environment = {
            **processes.environment_of_share(self._sweep.grid.jobs),
            runner.FOLLOWS_STDIN: "1",
        }
        with self._display:
            processes.run_all(
                map(self._job, self.missing),
                self._sweep.grid.jobs,
                environment,
                self._watch,
            )

    def report(self) -> int:
        """Writes the page; prints the table, folders and logs of failed runs.

        Returns:
            The exit code of the sweep: 1 if a run has failed, else 0.
        """
        found = self._in_order()
        if found:
            summary = records.summarize(found, self._plan.epochs)
            table = tables.summary_table(summary, self._heading())
            self._console.print(table)
        write = terminal.printer(self._console)
        write(f"Runs: {self._runs}")
        write(f"Table and plots: {self._results}")
        self._write_request()
        if page := result_files.write_page(self._folder):
            write(f"Page: {page}")

        for name, code in self._failed.items():
            log = self._runs / name / request.LOG
            lines = processes.last_lines(log, _LINES_OF_LOG)
            terminal.fail(f"{name} failed, exit code {code}: {log}")
            for line in lines:
                print(f"    {line}", file=sys.stderr)
        return terminal.FAILURE if self._failed else 0

    def _job(self, point: grid.Point) -> processes.Job:
        folder = self._runs / point.name
        options = dataclasses.replace(
            self._sweep.options, output_dir=str(folder)
        )
        arguments = run_flags.to_arguments(point.settings, options)
        command = [sys.executable, "-m", records.RUNNER, *arguments]
        return processes.Job(point.name, command, folder / request.LOG)

    def _watch(self, running: list[str], ended: dict[str, int]) -> None:
        """Shows the progress, and records the runs that have ended."""
        for name, code in ended.items():
            self._end(name, code)
        self._display.show(
            self._steps(), self._runs_ended(), ", ".join(running)
        )

    def _end(self, name: str, code: int) -> None:
        self._read(name)
        record = self._records.get(name)
        if code or record is None:
            self._failed[name] = code
            text = f"failed with exit code {code}"
        else:
            text = tables.headline_text(record)
            self._write()

        self._display.show(self._steps(), self._runs_ended(), "")
        self._display.line(f"{name}  {text}  {self._runs_ended()}")

    def _runs_ended(self) -> str:
        ended = set(self._records) | set(self._failed)
        return f"{len(ended)}/{len(self._points)} runs"

    def _read(self, name: str) -> None:
        point = self._points[name]
        run = self._folders[name]
        if run.is_complete(self._sweep.options.export):
            results = run.read_results()
            if not contradictions(results["settings"], point.settings):
                self._records[name] = records.make_record(point, results)

    def _steps(self) -> int:
        """Counts the steps of all runs so far, in whole epochs."""
        epochs = 0
        for name, folder in self._folders.items():
            if name in self._records:
                epochs += self._epochs[name]
            elif folder.metrics.exists():
                # Count line feeds, as the last line may be half written.
                lines = folder.metrics.read_bytes().count(b"\n")
                epochs += min(lines, self._epochs[name])
        return epochs * self._plan.per_epoch

    def _in_order(self) -> list[dict[str, Any]]:
        known = self._records
        return [known[name] for name in self._points if name in known]

    def _write(self) -> None:
        found = self._in_order()
        if found:
            result_files.write(self._results, found, self._heading())

    def _write_request(self) -> None:
        """Writes what is asked and what has failed, for the page."""
        heading, base = self._heading(), self._sweep.base
        asked = request.SweepRequest(
            heading.command,
            heading.network,
            tuple(self._points),
            base.total_epochs,
            records.shared_settings(base),
            self._failed,
            self._epochs if self._sweep.grid.training_flops else {},
        )
        request.write(self._folder, asked)

    def _heading(self) -> tables.Heading:
        base = self._sweep.base
        return tables.make_heading(
            records.sweep_command(self._sweep.grid, base),
            f"{base.model} on {base.data}",
            base.total_epochs,
            self._sweep.grid.seeds,
            len(self._points),
            self._in_order(),
        )
