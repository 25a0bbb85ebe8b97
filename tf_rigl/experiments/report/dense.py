"""The dense run that a sparse one is shown beside."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from tf_rigl.experiments.report import reading
from tf_rigl.experiments.report.reading import RunRecord
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.settings import contradictions
from tf_rigl.experiments.runs.settings import to_json

_DENSE = "dense"  # the method, and its folder within that of `compare_dense`
# Settings of masks, which a dense run ignores.
_OF_MASKS = (
    "method",
    "sparsity",
    "distribution",
    "budget",
    "dense_layers",
    "update_interval",
    "drop_fraction",
    "start_fraction",
    "stop_fraction",
    "ablation_threshold",
    "slimming_strength",
)


def find_dense(record: RunRecord) -> RunRecord | None:
    """Finds the dense run that differs from a run in its masks only.

    It looks into the folder `dense` of the run, where `--compare_dense` trains
    it, and into the folders beside the run, where a sweep does. Finished runs
    go first.

    Returns:
        The record of the dense run; None if there is none.
    """
    if record.settings.method == _DENSE:
        return None
    found = [
        dense
        for path in _candidates(record.folder.path)
        if (dense := _read_if_match(path, record.settings)) is not None
    ]
    found.sort(key=lambda dense: dense.results is None)
    return found[0] if found else None


def read_dense(record: RunRecord, path: str | os.PathLike[str]) -> RunRecord:
    """Reads the dense run that a user names.

    Raises:
        ValueError: if it is not a dense run of the same network and data, or
            the run to compare it with is dense itself.
    """
    dense = reading.read_run(path)
    one, other = dense.settings, record.settings
    if one.method != _DENSE or (one.model, one.data) != (
        other.model,
        other.data,
    ):
        raise ValueError(
            f"`dense` must be the folder of a dense run of {other.model} on "
            f"{other.data}. Received: dense={os.fspath(path)!r}, {one.label} "
            f"of {one.model} on {one.data}. Name another folder, or leave it "
            "out."
        )
    if other.method == _DENSE:
        raise ValueError(
            "`dense` is to compare a sparse run with. Received: "
            f"dense={os.fspath(path)!r} for a dense run. Leave it out."
        )
    return dense


def _candidates(path: pathlib.Path) -> Iterator[pathlib.Path]:
    yield path / _DENSE
    # Resolved, as "." has no parent by its name.
    here = path.resolve()
    with contextlib.suppress(OSError):
        yield from sorted(one for one in here.parent.iterdir() if one != here)


def _read_if_match(
    path: pathlib.Path, settings: RunSettings
) -> RunRecord | None:
    """Reads a run if it is the dense one of the settings, else None."""
    # What else lies beside a run is no error of its report.
    with contextlib.suppress(ValueError):
        found = RunFolder(path).read_settings()
        if found is None or found.method != _DENSE:
            return None
        different = contradictions(to_json(found), settings)
        if set(different) <= set(_OF_MASKS):
            return reading.read_run(path)
    return None
