"""The file that says what a sweep was asked for, and which runs failed."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_rigl.backend import atomic_files
from tf_rigl.experiments.runs import run_folder

_FILE = "request.json"
RUNS = "runs"  # the folder of the runs within that of a sweep
LOG = "log.txt"  # the output of a run, in its folder


@dataclasses.dataclass(frozen=True)
class SweepRequest:
    """What a sweep was asked for.

    Attributes:
        command: the command that repeats the sweep; empty if not known.
        network: the network and its data, in words.
        runs: the names of the runs, which are those of their folders.
        epochs: the epochs of each run, or of the dense one whose FLOPs limit
            them; None if not known.
        settings: the settings that all runs share, by name.
        failed: the exit codes of the runs that failed, by name.
        run_epochs: the epochs of each run by name, if they differ.
    """

    command: str
    network: str
    runs: tuple[str, ...]
    epochs: int | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    failed: Mapping[str, int] = dataclasses.field(default_factory=dict)
    run_epochs: Mapping[str, int] = dataclasses.field(default_factory=dict)


def write(folder: pathlib.Path, request: SweepRequest) -> None:
    """Writes the request into the folder of a sweep, atomically."""
    atomic_files.write_json(folder / _FILE, dataclasses.asdict(request))


def read(folder: pathlib.Path) -> SweepRequest | None:
    """Reads the request of a sweep; returns None if the folder has none.

    Raises:
        ValueError: if the file is damaged.
    """
    path = folder / _FILE
    if not path.exists():
        return None
    content = run_folder.read_object(path)
    try:
        return SweepRequest(**{**content, "runs": tuple(content["runs"])})
    except (KeyError, TypeError) as error:
        raise run_folder.damaged(path, error) from error


def is_sweep(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a folder is that of a sweep."""
    path = pathlib.Path(folder)
    # Sweeps of earlier versions have only results. A folder `runs` alone may
    # be that of single runs.
    has_results = (path / RUNS).is_dir() and (path / "results.jsonl").exists()
    return (path / _FILE).exists() or has_results
