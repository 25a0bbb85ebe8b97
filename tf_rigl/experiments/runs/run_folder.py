"""The folder of a run: its files, and the process that it belongs to."""

import atexit
import json
import os
import pathlib
import shutil
import tempfile
from typing import Any

import tf_rigl
from tf_rigl.backend import atomic_files
from tf_rigl.experiments import folder_lock
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.settings import contradictions
from tf_rigl.experiments.runs.settings import to_json


class RunFolder:
    """The files of a run.

    `open` makes the folder and keeps other processes out of it until `close`
    or the end of this one, however it comes. Of several workers that train
    together only the first writes; the others, who must take part in writing,
    get a folder for models that is removed when the process ends.

    Args:
        path: of the folder.
        writes: whether this process is the one that writes.
    """

    def __init__(
        self, path: str | os.PathLike[str], writes: bool = True
    ) -> None:
        self.path = pathlib.Path(path)
        self.writes = writes
        self.configuration = self.path / "configuration.json"
        self.checkpoints = self.path / "checkpoints"
        self.metrics = self.path / "metrics.jsonl"
        self.masks = self.path / "masks.jsonl"
        self.tensorboard = self.path / "tensorboard"
        self.results = self.path / "results.json"
        self.report = self.path / "report.html"
        self._models = self.path
        self._lock: int | None = None

    @property
    def model(self) -> pathlib.Path:
        """The trained model, with its masks."""
        return self._models / "model.keras"

    @property
    def saved_model(self) -> pathlib.Path:
        """The exported one."""
        return self._models / "saved_model"

    @property
    def trained_steps(self) -> int:
        """Steps in the newest checkpoint, 0 if there is none."""
        return tf_rigl.Checkpoints(self.checkpoints).step

    def is_complete(self, exported: bool) -> bool:
        """Returns whether the results are there, and the model."""
        # All workers ask this, about files that the first has written.
        model = self.path / "model.keras"
        return self.results.exists() and (model.exists() or not exported)

    def open(self, settings: RunSettings) -> None:
        """Takes the folder for a run, which it has begun or is to begin.

        Raises:
            ValueError: if the folder cannot be made or written, another
                process trains there, or a run with other settings did.
        """
        if not self.writes:
            self._check_settings(settings)
            self._models = pathlib.Path(tempfile.mkdtemp())
            atexit.register(shutil.rmtree, self._models, ignore_errors=True)
            return

        self._lock = folder_lock.lock_folder(self.path, "output_dir", "run")
        try:
            self._check_settings(settings)
        except ValueError:
            self.close()
            raise

    def keep_settings(self, settings: RunSettings) -> None:
        """Writes the settings down, if no run has done so here before."""
        if self.writes and not self.configuration.exists():
            atomic_files.write_json(self.configuration, to_json(settings))

    def read_results(self) -> dict[str, Any]:
        """Reads what the run has written when it ended."""
        return json.loads(self.results.read_text("utf-8"))

    def close(self) -> None:
        """Lets other processes in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _check_settings(self, settings: RunSettings) -> None:
        if not self.configuration.exists():
            return
        try:
            stored = json.loads(self.configuration.read_text("utf-8"))
            different = contradictions(stored, settings)
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(
                "`output_dir` must hold the configuration of the run that it "
                f"holds. Received: {str(self.configuration)!r}, which can't "
                f"be read ({error}). Pass another folder."
            ) from error

        if different:
            flags = ", ".join(
                f"--{name}={now!r} (it has {before!r})"
                for name, (before, now) in different.items()
            )
            raise ValueError(
                "A run goes on with the settings that it began with. "
                f"Received: {flags} for output_dir={str(self.path)!r}. Pass "
                "its settings, or another folder."
            )
