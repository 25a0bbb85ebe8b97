"""The processes of compressions, and the files of their results."""

import pathlib
import sys
from collections.abc import Sequence

from rich import console as consoles

from tf_rigl.backend import atomic_files
from tf_rigl.core import text_table
from tf_rigl.experiments.compress import __main__ as compressor
from tf_rigl.experiments.compress import command_lines
from tf_rigl.experiments.compress import progress
from tf_rigl.experiments.compress import records
from tf_rigl.experiments.compress import request
from tf_rigl.experiments.compress import settings
from tf_rigl.experiments.compress import tables
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.compress.files import CompressionFolder
from tf_rigl.experiments.runs import results
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import grid as grids
from tf_rigl.experiments.sweeps import process_set
from tf_rigl.experiments.tickets.request import TicketsRequest
from tf_rigl.experiments.tickets.tables import Heading

# Named by the imported module, so that build tools see the dependency.
_COMPRESSOR = str(compressor.__package__)


class Compressions(process_set.ProcessSet[records.SummaryRow]):
    """Runs what is left of all compressions and writes the results so far.

    Args:
        asked: what the flags ask for.
        run: the run of a large network, whatever its seed and learning rate.
        console: where to print.

    Raises:
        ValueError: if the folder of a compression is in use, or has one with
            other settings.
    """

    def __init__(
        self,
        asked: settings.Asked,
        run: PreparedRun,
        console: consoles.Console,
    ) -> None:
        self._asked = asked
        self._run = run
        folder = pathlib.Path(asked.options.output_dir)
        points = settings.points(asked)
        for point in points:
            self._check(point, folder / request.COMPRESSIONS / point.name)
        super().__init__(
            "compressions",
            folder,
            request.COMPRESSIONS,
            points,
            {
                point.name: progress.CompressionProgress(
                    folder / request.COMPRESSIONS / point.name, asked, run.plan
                )
                for point in points
            },
            asked.grid.jobs,
            console,
        )

    def command(self, point: grids.Point, folder: pathlib.Path) -> list[str]:
        """Returns the command that trains one compression in a folder."""
        arguments = command_lines.process_arguments(
            self._asked, point.settings, str(folder)
        )
        return [sys.executable, "-m", _COMPRESSOR, *arguments]

    def write_request(self) -> None:
        """Writes what is asked and what has failed, for the page."""
        names = [one.name for one in trainings.trainings(self._asked)]
        request.write(
            self.folder,
            TicketsRequest(
                self._heading(),
                tuple(self.points),
                tuple(names),
                command_lines.shared(self._asked),
                self.failed,
            ),
        )

    def write_results(self) -> Sequence[records.SummaryRow]:
        """Writes the results so far, the table and the plots."""
        # Imported here, since it needs matplotlib and training does not.
        from tf_rigl.experiments.compress import plots

        found = [
            one
            for name, point in self.points.items()
            for one in records.read(
                self.below / name, self._asked, point.settings
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
        """Writes the page of the compressions."""
        # Imported here, since its packages are optional.
        from tf_rigl.experiments.compress import page

        return page.write_page(self.folder)

    def _check(self, point: grids.Point, path: pathlib.Path) -> None:
        """Raises a ValueError unless a compression can begin or go on."""
        folder = RunFolder(path)
        if not folder.configuration.exists():
            return
        with folder.open(point.settings):  # free, with the same settings
            CompressionFolder(path).check_arguments(self._asked.compress)

    def _heading(self) -> Heading:
        base = self._asked.base
        versions = results.versions(self._run.keras)
        return Heading(
            command_lines.program_command(self._asked),
            f"{base.model} on {base.data}",
            self._run.plan.total,
            self._asked.grid.seeds,
            ", ".join(f"{name} {one}" for name, one in versions.items()),
        )
