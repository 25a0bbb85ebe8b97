"""The processes of searches, and the files of their results."""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from rich import console as consoles

from tf_rigl.backend import atomic_files
from tf_rigl.core import text_table
from tf_rigl.experiments.runs import results
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import grid as grids
from tf_rigl.experiments.sweeps import process_set
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


class Searches(process_set.ProcessSet[records.SummaryRow]):
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
        self._run = run
        folder = pathlib.Path(asked.options.output_dir)
        points = settings.points(asked)
        for point in points:
            self._check(point, folder / request.SEARCHES / point.name, model)
        super().__init__(
            "searches",
            folder,
            request.SEARCHES,
            points,
            {
                point.name: progress.SearchProgress(
                    folder / request.SEARCHES / point.name,
                    asked.search,
                    run.plan,
                )
                for point in points
            },
            asked.grid.jobs,
            console,
        )

    def command(self, point: grids.Point, folder: pathlib.Path) -> list[str]:
        """Returns the command that trains one search in a folder."""
        arguments = command_lines.process_arguments(
            self._asked, point.settings, str(folder)
        )
        return [sys.executable, "-m", _SEARCHER, *arguments]

    def write_request(self) -> None:
        """Writes what is asked and what has failed, for the page."""
        request.write(
            self.folder,
            request.TicketsRequest(
                self._heading(),
                tuple(self.points),
                tuple(progress.trainings(self._asked.search)),
                command_lines.shared(self._asked),
                self.failed,
            ),
        )

    def write_results(self) -> Sequence[records.SummaryRow]:
        """Writes the results so far, the table and the plots."""
        # Imported here, since it needs matplotlib and training does not.
        from tf_rigl.experiments.tickets import plots

        trainings = progress.trainings(self._asked.search)
        found = [
            training
            for name, point in self.points.items()
            for training in records.read(
                self.below / name, trainings, point.settings
            )
        ]
        rows = records.summarize(found)
        if rows:
            csv = records.to_csv(found)
            atomic_files.write_text(self.folder / "results.csv", csv)
            table = tables.markdown(rows, self._heading())
            atomic_files.write_text(self.folder / "table.md", table)
            plots.write(self.folder, rows, self._heading().network)
        return rows

    def table(self, rows: Sequence[records.SummaryRow]) -> text_table.TextTable:
        """Returns the table for the terminal."""
        return tables.terminal_table(rows, self._heading())

    def write_page(self) -> pathlib.Path:
        """Writes the page of the searches."""
        # Imported here, since its packages are optional.
        from tf_rigl.experiments.tickets import page

        return page.write_page(self.folder)

    def _check(
        self, point: grids.Point, path: pathlib.Path, model: Any
    ) -> None:
        """Raises a ValueError unless a search can begin or go on."""
        folder = RunFolder(path)
        if not folder.configuration.exists():
            return
        options = dataclasses.replace(self._asked.options, output_dir=str(path))
        asked = self._asked._replace(base=point.settings, options=options)
        with folder.open(point.settings):  # free, with the same settings
            search.make_search(asked, model)  # and arguments

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
