"""The folder of a sweep: its runs, their table and their plots."""

import contextlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tf_rigl.backend import atomic_files
from tf_rigl.experiments import folder_lock
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import contradictions
from tf_rigl.experiments.sweeps import tables
from tf_rigl.experiments.sweeps.grid import Point
from tf_rigl.experiments.sweeps.summary import Record
from tf_rigl.experiments.sweeps.summary import SweepSummary


class SweepFolder:
    """The files of a sweep.

    Args:
        path: holds a folder for each run.
        results: holds the table and the plots.
    """

    def __init__(
        self, path: str | os.PathLike[str], results: str | os.PathLike[str]
    ) -> None:
        self.path = pathlib.Path(path)
        self.results = pathlib.Path(results)
        self._lock: int | None = None

    def open(self) -> None:
        """Keeps other sweeps out, until `close` or the end of this process.

        Raises:
            ValueError: if a folder cannot be made or written, or another sweep
                is there.
        """
        self._lock = folder_lock.lock_folder(self.path, "output_dir", "sweep")
        try:
            self.results.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                "`results_dir` must be a folder that can be written. "
                f"Received: results_dir={str(self.results)!r} "
                f"({error.strerror})."
            ) from error

    def close(self) -> None:
        """Lets other sweeps in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def run(self, point: Point) -> RunFolder:
        """Returns the folder of a run."""
        return RunFolder(self.path / "runs" / point.name)

    def log(self, point: Point) -> pathlib.Path:
        """Returns the file of what a run printed."""
        return self.run(point).path / "log.txt"

    def check(self, points: Sequence[Point]) -> None:
        """Checks that runs may begin or go on where they are to.

        Raises:
            ValueError: if the folder of one is in use, or holds a run with
                other settings.
        """
        for point in points:
            run = self.run(point)
            if run.configuration.exists():
                with contextlib.closing(run):
                    run.open(point.settings)

    def ended(self, point: Point, options: RunOptions) -> dict[str, Any] | None:
        """Reads the results of a run; returns None if it has not ended."""
        run = self.run(point)
        if not run.is_complete(options.export):
            return None

        results = run.read_results()
        if contradictions(results["settings"], point.settings):
            return None
        return results

    def epochs(self, point: Point) -> int:
        """Counts the epochs that a run has trained so far."""
        metrics = self.run(point).metrics
        # The last line may be half written.
        return metrics.read_bytes().count(b"\n") if metrics.exists() else 0

    def write(
        self,
        records: Sequence[Record],
        summary: SweepSummary,
        heading: tables.Heading,
    ) -> None:
        """Writes results, table and plots, each whole or not at all."""
        # Needs matplotlib, which is not needed to train.
        from tf_rigl.experiments.sweeps import plots

        lines = [json.dumps(record) + "\n" for record in records]
        atomic_files.write_text(self.results / "results.jsonl", "".join(lines))
        atomic_files.write_text(
            self.results / "table.md", tables.markdown(summary, heading)
        )
        for name, draw in (
            ("against_sparsity.png", plots.draw_against_sparsity),
            ("against_flops.png", plots.draw_against_flops),
        ):
            draw(self.results / name, summary, heading.network)
