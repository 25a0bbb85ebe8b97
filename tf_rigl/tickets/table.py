"""The table of a search."""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from tf_rigl.accounting.profile import profile
from tf_rigl.accounting.search_flops import search_flops
from tf_rigl.core import cells
from tf_rigl.core import text_table
from tf_rigl.tickets import run_names

_NOT_METRICS = ("epoch", "step", "dead_units", "sparsity")


def of_records(records: Sequence[Mapping[str, Any]], model: Any) -> str:
    """Formats levels and controls: what is left, how well it learns, its cost.

    Args:
        records: the records of a search.
        model: the model that is searched, whose FLOPs are counted.
    """
    if not records:
        return "No level is trained yet."

    metric = _metric(records)
    header = ("", "left", "early stop", f"{metric} there", f"{metric} at end")
    body = [
        (
            _words(record["name"]),
            cells.percent(record["left"]),
            _step(record["early_stop"]),
            _number(record["early_stop"], metric),
            _number(record["end"], metric),
        )
        for record in records
    ]
    lines = text_table.aligned(header, body, (), text_columns=1)
    lines += ["", "Early stop: the step of least validation loss."]
    lines += _costs(records, model)
    return "\n".join(lines)


def _costs(records: Sequence[Mapping[str, Any]], model: Any) -> list[str]:
    """Tells what the search cost; nothing if that cannot be counted."""
    try:
        costs = search_flops(profile(model), records)
    except ValueError:
        return []
    about = "about " if costs.is_lower_bound else ""
    return [
        f"The search cost {about}{costs.dense_trainings:.2f} dense trainings, "
        f"by the FLOPs of {len(costs.rows)} levels."
    ]


def _words(name: str) -> str:
    """Writes the name of a folder in words."""
    if not run_names.is_control(name):
        return name.replace("_", " ")
    how, level, keep_sign, draw = run_names.read_control(name)
    kept = ", sign kept" if keep_sign else ""
    return f"{how.replace('_', ' ')}{kept}: level {level:02d}, draw {draw}"


def _metric(records: Sequence[Mapping[str, Any]]) -> str:
    """Returns the metric to show: the first accuracy of validation, if any."""
    names = [name for name in records[0]["end"] if name not in _NOT_METRICS]
    accuracies = [name for name in names if name.endswith("accuracy")]
    validation = [name for name in accuracies if name.startswith("val_")]
    fallback = [name for name in names if name == "val_loss"]
    return next(iter([*validation, *accuracies, *fallback, *names]), "metric")


def _step(line: Mapping[str, Any] | None) -> str:
    return "" if line is None else cells.count(line.get("step"))


def _number(line: Mapping[str, Any] | None, metric: str) -> str:
    value = None if line is None else line.get(metric)
    return "" if value is None else f"{value:.4g}"
