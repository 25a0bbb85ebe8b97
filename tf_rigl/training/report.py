"""Compares training runs: a table for people, a record for programs."""

import platform
from collections.abc import Callable
from collections.abc import Sequence
from importlib import metadata
from types import ModuleType
from typing import Any
from typing import NamedTuple

import tensorflow as tf
from rich import table

from tf_rigl.training import artefacts
from tf_rigl.training import configuration as configurations
from tf_rigl.training import experiment


class Report(NamedTuple):
    """One run with the files that it left."""

    result: experiment.TrainingResult
    files: artefacts.ModelFiles


class Measure(NamedTuple):
    """One row of the table."""

    name: str
    value: Callable[[Report], float]
    write: Callable[[float], str]
    compare: Callable[[float, float], str]  # dense, then sparse


_TOTALS = (
    "nonzeros",
    "parameters",
    "macs",
    "dense_macs",
    "flops",
    "dense_flops",
    "bytes",
    "dense_bytes",
)
_SI_PREFIXES = ("", " k", " M", " G", " T", " P")


def si_number(value: float) -> str:
    """Writes a count with three digits and an SI prefix, as in "10.6 k"."""
    power = 0
    # 999.5 would round to four digits.
    while abs(value) >= 999.5 and power < len(_SI_PREFIXES) - 1:
        value /= 1000
        power += 1
    return f"{value:.3g}{_SI_PREFIXES[power]}"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _percent(value: float) -> str:
    return f"{value:.2%}"


def _ratio(first: float, second: float) -> str:
    return f"× {second / first:.3g}" if first else ""


def _points(first: float, second: float) -> str:
    return f"{100 * (second - first):+.2f} points"


MEASURES: tuple[Measure, ...] = (
    Measure(
        "Test accuracy", lambda r: r.result.test_accuracy, _percent, _points
    ),
    Measure(
        "Non-zero weights", lambda r: r.result.profile.nonzeros, _count, _ratio
    ),
    Measure(
        "Parameters", lambda r: r.result.profile.parameters, _count, _ratio
    ),
    Measure(
        "Inference FLOPs", lambda r: r.result.profile.flops, si_number, _ratio
    ),
    Measure(
        "Training FLOPs", lambda r: r.result.training_flops, si_number, _ratio
    ),
    Measure(
        "Packed weights, bytes",
        lambda r: r.result.profile.bytes,
        _count,
        _ratio,
    ),
    Measure(
        "SavedModel on disk, bytes",
        lambda r: r.files.saved_model_bytes,
        _count,
        _ratio,
    ),
    Measure("Training time", lambda r: r.result.seconds, _seconds, _ratio),
)
FOOTNOTE = (
    "FLOPs: inference on one image; training for the whole run. "
    "Packed weights: 32 bits a non-zero, one bit a position; the SavedModel "
    "stores positions in fewer bits, and its graph."
)


def comparison_table(reports: Sequence[Report]) -> table.Table:
    """Makes the table of all measures, one column for each run.

    With two runs a last column compares the second with the first.

    Args:
        reports: The runs, the dense one first.

    Returns:
        A table to print with rich.
    """
    result = table.Table(
        title="LeNet-300-100 on MNIST",
        caption=FOOTNOTE,
        caption_justify="left",
        title_justify="left",
    )
    result.add_column("")
    for report in reports:
        result.add_column(report.result.label, justify="right")
    if len(reports) == 2:
        result.add_column("compared", justify="right")
    for measure in MEASURES:
        result.add_row(measure.name, *_cells(measure, reports))
    return result


def _cells(measure: Measure, reports: Sequence[Report]) -> list[str]:
    values = [float(measure.value(report)) for report in reports]
    cells = [measure.write(value) for value in values]
    if len(values) == 2:
        cells.append(measure.compare(*values))
    return cells


def record(
    configuration: configurations.Configuration,
    keras: ModuleType,
    reports: Sequence[Report],
) -> dict[str, Any]:
    """Puts configuration, versions and all runs into plain JSON values.

    Args:
        configuration: The experiment.
        keras: The Keras that was used.
        reports: The runs.

    Returns:
        A dictionary that `json.dumps` takes.
    """
    return {
        "configuration": dict(vars(configuration)),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            keras.__name__: keras.__version__,
            "tf_rigl": _own_version(),
        },
        "runs": [_run_record(report) for report in reports],
    }


def _run_record(report: Report) -> dict[str, Any]:
    result, files, profile = report.result, report.files, report.result.profile
    return {
        "method": result.method,
        "test_accuracy": result.test_accuracy,
        "test_loss": result.test_loss,
        "seconds": result.seconds,
        "steps": result.steps.total,
        "images_seen": result.images_seen,
        "training_flops": float(result.training_flops),
        "profile": profile_record(profile),
        "connections": {
            path: int(mask.sum()) for path, mask in result.masks_after.items()
        },
        "files": {
            "checkpoint_bytes": files.checkpoint_bytes,
            "saved_model_bytes": files.saved_model_bytes,
            "largest_difference": files.largest_difference,
        },
        "history": dict(result.history),
    }


def profile_record(profile: Any) -> dict[str, int]:
    """The totals of a profile, by name."""
    return {name: int(getattr(profile, name)) for name in _TOTALS}


def _own_version() -> str:
    try:
        return metadata.version("tf_rigl")
    except metadata.PackageNotFoundError:
        return "not installed"
