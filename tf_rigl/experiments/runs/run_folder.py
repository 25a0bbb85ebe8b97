"""The folder of a run: its files, and the lock of the process that uses it."""

import contextlib
import fcntl
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import tf_rigl
from tf_rigl.backend import atomic_files
from tf_rigl.experiments.runs import settings as settings_of_runs
from tf_rigl.experiments.runs.settings import RunSettings


def make_folder(path: pathlib.Path, name: str) -> pathlib.Path:
    """Makes a folder if needed; `name` is the argument that errors name.

    Raises:
        ValueError: if the folder cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(path, name, error) from error
    return path


@contextlib.contextmanager
def locked(path: pathlib.Path, name: str, user: str) -> Iterator[None]:
    """Makes a folder and locks it for this process within the context.

    The operating system releases the lock when the process ends, even if it is
    killed. Errors name the argument `name` and the kind of `user`.

    Raises:
        ValueError: if the folder is not writable, or another process has
            locked it.
    """
    try:
        lock = (make_folder(path, name) / ".lock").open("ab")
    except OSError as error:
        raise _not_writable(path, name, error) from error

    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(
                f"`{name}` must not be in use by another {user}. Received: "
                f"{name}={str(path)!r}. Wait for that {user}, or pass another "
                "folder."
            ) from error
        yield


def _not_writable(path: pathlib.Path, name: str, error: OSError) -> ValueError:
    return ValueError(
        f"`{name}` must be a folder that can be written. "
        f"Received: {name}={str(path)!r} ({error.strerror})."
    )


def read_object(path: pathlib.Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        ValueError: if the file has no JSON object.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if not isinstance(content, dict):
        raise damaged(path, "no JSON object")
    return content


def read_lines(
    path: pathlib.Path, keys: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    """Reads JSON lines; an unfinished last line is ignored.

    Raises:
        ValueError: if another line is damaged or lacks one of the keys.
    """
    if not path.exists():
        return []
    try:
        text = path.read_text("utf-8")
        whole, _, _ = text.rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines() if line]
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    for line in lines:
        check_keys(path, line, ("epoch", *keys))
    return lines


def check_keys(path: pathlib.Path, content: Any, keys: tuple[str, ...]) -> None:
    """Raises a ValueError unless the content of a file has all keys."""
    if not isinstance(content, dict):
        raise damaged(path, f"no JSON object: {content!r:.40}")
    missing = [key for key in keys if key not in content]
    if missing:
        raise damaged(path, f"without {', '.join(missing)}")


def damaged(path: pathlib.Path, reason: Any) -> ValueError:
    """Makes the error for a file that a run cannot have written so."""
    return ValueError(
        "The files of a run must be as the training programs write them. "
        f"Received: {str(path)!r}, which can't be read ({reason}). "
        "Pass another folder."
    )


class RunFolder:
    """The files of a run.

    Of several workers only the chief `writes`. The others must take part in
    saving models, so they save to a temporary folder, which is removed when
    the folder of the run is closed.
    """

    def __init__(
        self, path: str | os.PathLike[str], writes: bool = True
    ) -> None:
        self.path = pathlib.Path(path)
        self.writes = writes
        self.configuration = self.path / "configuration.json"
        self.checkpoints = self.path / "checkpoints"
        self.metrics = self.path / "metrics.jsonl"
        self.steps = self.path / "steps.jsonl"
        self.masks = self.path / "masks.jsonl"
        self.updates = self.path / "updates.jsonl"
        self.tensorboard = self.path / "tensorboard"
        self.results = self.path / "results.json"
        self.report = self.path / "report.html"
        self._models = self.path

    @property
    def model(self) -> pathlib.Path:
        """The trained model, with its masks."""
        return self._models / "model.keras"

    @property
    def saved_model(self) -> pathlib.Path:
        """The exported model."""
        return self._models / "saved_model"

    @property
    def trained_steps(self) -> int:
        """The number of steps in the newest checkpoint, 0 if there is none."""
        return tf_rigl.Checkpoints(self.checkpoints).step

    def is_complete(self, exported: bool) -> bool:
        """Returns whether the results exist and, if `exported`, the model."""
        # Not `self.model`: all workers ask for the file of the chief.
        model = self.path / "model.keras"
        return self.results.exists() and (model.exists() or not exported)

    @contextlib.contextmanager
    def open(self, settings: RunSettings) -> Iterator[None]:
        """Locks the folder for a run that starts or resumes there.

        Raises:
            ValueError: if the folder is not writable, another process trains
                there, or it has a run with other settings.
        """
        with contextlib.ExitStack() as stack:
            if self.writes:
                stack.enter_context(locked(self.path, "output_dir", "run"))
            else:
                # All workers must save models together, but only the chief's
                # are kept.
                models = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
                self._models = pathlib.Path(stack.enter_context(models))
            self._check_settings(settings)
            yield

    def keep_settings(self, settings: RunSettings) -> None:
        """Writes the settings, unless the folder has them already."""
        if self.writes and not self.configuration.exists():
            atomic_files.write_json(
                self.configuration, settings_of_runs.to_json(settings)
            )

    def read_settings(self) -> RunSettings | None:
        """Reads the settings of the run; returns None if there are none.

        Raises:
            ValueError: if the settings cannot be read.
        """
        if not self.configuration.is_file():
            return None
        content = read_object(self.configuration)
        try:
            return settings_of_runs.from_json(content)
        except (TypeError, ValueError) as error:
            raise damaged(self.configuration, error) from error

    def read_results(self) -> dict[str, Any]:
        """Reads the results of the finished run."""
        return read_object(self.results)

    def _check_settings(self, settings: RunSettings) -> None:
        if not self.configuration.exists():
            return
        stored = read_object(self.configuration)
        different = settings_of_runs.contradictions(stored, settings)
        if different:
            flags = ", ".join(
                f"--{name}={now!r} (it has {before!r})"
                for name, (before, now) in different.items()
            )
            raise ValueError(
                "A run must be resumed with the settings that it began with. "
                f"Received: {flags} for output_dir={str(self.path)!r}. Pass "
                "its settings, or another folder."
            )
