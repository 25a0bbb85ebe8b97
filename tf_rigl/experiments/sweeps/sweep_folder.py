"""The folder of a sweep: its runs, their table and their plots."""

import contextlib
import os
import pathlib
from collections.abc import Sequence

from tf_rigl.experiments import folder_lock
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.sweeps.grid import Point


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
