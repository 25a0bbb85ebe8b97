"""The processes of searches, and the files of their results."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from rich import console as consoles

from tf_rigl.experiments.process_sets.process_set import ProcessSet
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import grid as grids
from tf_rigl.experiments.tickets import __main__ as searcher
from tf_rigl.experiments.tickets import progress
from tf_rigl.experiments.tickets import records
from tf_rigl.experiments.tickets import request
from tf_rigl.experiments.tickets import search
from tf_rigl.experiments.tickets import settings
from tf_rigl.experiments.tickets import tables


class Searches(ProcessSet):
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

    kind = request.SEARCHES
    flags = settings.FLAGS
    file = request.FILE
    # Named by the imported module, so that build tools see the dependency.
    module = str(searcher.__package__)
    summary = records
    table = tables

    asked: settings.Asked

    def __init__(
        self,
        asked: settings.Asked,
        run: PreparedRun,
        model: Any,
        console: consoles.Console,
    ) -> None:
        self._model = model
        super().__init__(asked, run, console)

    @property
    def trainings(self) -> Sequence[str]:
        """The levels and their controls."""
        return progress.trainings(self.asked.search)

    def check(self, point: grids.Point, path: pathlib.Path) -> None:
        """Raises a ValueError if a search was begun with other arguments."""
        options = dataclasses.replace(self.asked.options, output_dir=str(path))
        asked = self.asked._replace(base=point.settings, options=options)
        search.make_search(asked, self._model)

    def progress_of(self, path: pathlib.Path) -> progress.SearchProgress:
        """Returns how far the search of a folder has come."""
        return progress.SearchProgress(path, self.asked.search, self.run.plan)

    def read(
        self, path: pathlib.Path, run: RunSettings
    ) -> Sequence[records.Training]:
        """Reads what the search of a folder has trained so far."""
        return records.read(path, self.trainings, run)

    def draw(self, rows: Sequence[records.SummaryRow]) -> None:
        """Writes the plots."""
        # Imported here, since it needs matplotlib and training does not.
        from tf_rigl.experiments.tickets import plots

        plots.write(self.folder, rows, self.heading().network)

    def write_page(self) -> pathlib.Path:
        """Writes the page of the searches."""
        # Imported here, since its packages are optional.
        from tf_rigl.experiments.tickets import page

        return page.write_page(self.folder)
