"""The processes of compressions, and the files of their results."""

import pathlib
from collections.abc import Sequence

from tf_rigl.experiments.compress import __main__ as compressor
from tf_rigl.experiments.compress import progress
from tf_rigl.experiments.compress import records
from tf_rigl.experiments.compress import request
from tf_rigl.experiments.compress import settings
from tf_rigl.experiments.compress import tables
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.compress.files import CompressionFolder
from tf_rigl.experiments.process_sets.process_set import ProcessSet
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.sweeps import grid as grids


class Compressions(ProcessSet):
    """Runs what is left of all compressions and writes the results so far."""

    kind = request.COMPRESSIONS
    flags = settings.FLAGS
    file = request.FILE
    # Named by the imported module, so that build tools see the dependency.
    module = str(compressor.__package__)
    summary = records
    table = tables

    asked: settings.Asked

    @property
    def trainings(self) -> Sequence[str]:
        """The large network, and what is left in each way."""
        return [one.name for one in trainings.trainings(self.asked)]

    def check(self, point: grids.Point, path: pathlib.Path) -> None:
        """Raises a ValueError if one was begun with other arguments."""
        del point
        CompressionFolder(path).check_arguments(self.asked.compress)

    def progress_of(self, path: pathlib.Path) -> progress.CompressionProgress:
        """Returns how far the compression of a folder has come."""
        return progress.CompressionProgress(path, self.asked, self.run.plan)

    def read(
        self, path: pathlib.Path, run: RunSettings
    ) -> Sequence[records.Trained]:
        """Reads what the compression of a folder has trained so far."""
        return records.read(path, self.asked, run)

    def draw(self, rows: Sequence[records.SummaryRow]) -> None:
        """Writes the plots."""
        # Imported here, since it needs matplotlib and training does not.
        from tf_rigl.experiments.compress import plots

        plots.write(self.folder, rows, self.heading().network)

    def write_page(self) -> pathlib.Path:
        """Writes the page of the compressions."""
        # Imported here, since its packages are optional.
        from tf_rigl.experiments.compress import page

        return page.write_page(self.folder)
