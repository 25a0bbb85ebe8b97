"""The results of runs, as plain JSON values and as a table."""

import functools
import platform
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import tensorflow as tf

import tf_rigl
from tf_rigl import accounting
from tf_rigl.accounting import ModelProfile
from tf_rigl.core import text_table
from tf_rigl.experiments import formatting
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs.settings import to_json
from tf_rigl.experiments.runs.setup import PreparedRun

# The content of a run's `results.json`.
Record = Mapping[str, Any]

FOOTNOTE = (
    "FLOPs: inference on one example; training for the whole run. "
    "Packed weights: 32 bits a non-zero, one bit a position; the SavedModel "
    "stores positions in fewer bits, and its graph."
)
# The attributes of a profile that are part of a record.
TOTALS = (
    "nonzeros",
    "parameters",
    "macs",
    "dense_macs",
    "flops",
    "dense_flops",
    "bytes",
    "dense_bytes",
)


def make_record(
    run: PreparedRun,
    model: Any,
    measures: Mapping[str, float],
    folder: run_folder.RunFolder,
    files: Mapping[str, Any],
) -> dict[str, Any]:
    """Makes the record of a finished run, in plain JSON values.

    `files` is the result of `write_model`, or empty if no model was written.
    """
    profile = tf_rigl.profile(model)
    published = accounting.micronet(profile)
    epochs = run_folder.read_lines(folder.metrics)
    masks = tf_rigl.masks(model) if run.settings.is_sparse else {}

    return {
        "settings": to_json(run.settings),
        "versions": versions(run.keras),
        "label": run.settings.label,
        "measures": dict(measures),
        "headline": run.task.headline,
        "steps": run.plan.total,
        "epochs": run.plan.epochs,
        "examples_seen": run.plan.total * run.settings.batch_size,
        "seconds": round(sum(one["seconds"] for one in epochs), 3),
        "profile": totals(profile),
        "published": {
            name: int(value) for name, value in published._asdict().items()
        },
        "training_flops": training_flops(run, profile),
        "connections": {path: int(mask.sum()) for path, mask in masks.items()},
        "files": dict(files),
        "folder": str(folder.path),
    }


def versions(keras: ModuleType) -> dict[str, str]:
    """Returns the versions of the packages that determine a result."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        keras.__name__: keras.__version__,
        "tf_rigl": tf_rigl.__version__,
    }


def totals(profile: ModelProfile) -> dict[str, int]:
    """Returns the totals of a profile that are part of a record."""
    return {name: int(getattr(profile, name)) for name in TOTALS}


def training_flops(run: PreparedRun, profile: Any) -> float:
    """Counts the training FLOPs of the whole run, as in the RigL paper."""
    examples = run.plan.total * run.settings.batch_size
    return examples * networks.training_flops(
        run.settings, run.plan, profile.flops, profile.dense_flops
    )


def results_table(records: Sequence[Record]) -> text_table.TextTable:
    """Makes a table with a column for each run of a network.

    If there are two runs, another column compares the second one with the
    first one, which is dense.
    """
    settings = records[0]["settings"]
    labels = [record["label"] for record in records]
    compared = ["compared"] if len(records) == 2 else []
    return text_table.TextTable(
        ["", *labels, *compared],
        list(rows(records)),
        title=f"{settings['model']} on {settings['data']}",
        caption=FOOTNOTE,
    )


def rows(records: Sequence[Record]) -> Iterator[list[str]]:
    """Yields the rows of `results_table`."""
    for name in records[0]["measures"]:
        yield _row(
            name.replace("_", " "),
            [record["measures"][name] for record in records],
            functools.partial(formatting.write_measure, name),
            _points if formatting.is_accuracy(name) else _difference,
        )

    profiles = [record["profile"] for record in records]
    for name, key, write in (
        ("non-zero weights", "nonzeros", _count),
        ("parameters", "parameters", _count),
        ("inference FLOPs", "flops", formatting.si_number),
    ):
        yield _row(name, [one[key] for one in profiles], write)
    trained = [record["training_flops"] for record in records]
    yield _row("training FLOPs", trained, formatting.si_number)
    yield _row("packed weights, bytes", [one["bytes"] for one in profiles])

    files = [record["files"] for record in records]
    if all(files):
        sizes = [one["saved_model_bytes"] for one in files]
        yield _row("SavedModel on disk, bytes", sizes)
    seconds = [record["seconds"] for record in records]
    yield _row("training time", seconds, lambda value: f"{value:.1f} s")


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _ratio(first: float, second: float) -> str:
    return f"× {second / first:.3g}" if first else ""


def _points(first: float, second: float) -> str:
    return f"{100 * (second - first):+.2f} points"


def _difference(first: float, second: float) -> str:
    return f"{second - first:+.4f}"


def _row(
    name: str,
    values: Sequence[float],
    write: Callable[[float], str] = _count,
    compare: Callable[[float, float], str] = _ratio,
) -> list[str]:
    """Formats the values of runs and, if there are two, their comparison."""
    compared = [compare(*values)] if len(values) == 2 else []
    return [name, *map(write, values), *compared]
