"""The results of runs as a table, for people."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from rich import table as tables

from tf_rigl.experiments.formatting import is_accuracy
from tf_rigl.experiments.formatting import si_number
from tf_rigl.experiments.formatting import write_measure

# The content of a run's `results.json`.
Record = Mapping[str, Any]

FOOTNOTE = (
    "FLOPs: inference on one example; training for the whole run. "
    "Packed weights: 32 bits a non-zero, one bit a position; the SavedModel "
    "stores positions in fewer bits, and its graph."
)


class _Row(NamedTuple):
    """One row of the table."""

    name: str
    value: Callable[[Record], float]
    write: Callable[[float], str]
    compare: Callable[[float, float], str]  # the first run, then the second


def title(record: Record) -> str:
    """What was trained on what, in a line."""
    settings = record["settings"]
    return f"{settings['model']} on {settings['data']}"


def results_table(records: Sequence[Record]) -> tables.Table:
    """Makes the table of runs of one network, one column for each.

    With two of them a last column compares the second with the first.

    Args:
        records: The content of their `results.json`, the dense one first.

    Returns:
        A table to print with rich.
    """
    table = tables.Table(
        title=title(records[0]),
        caption=FOOTNOTE,
        caption_justify="left",
        title_justify="left",
    )
    table.add_column("")
    for record in records:
        table.add_column(record["label"], justify="right")
    if len(records) == 2:
        table.add_column("compared", justify="right")
    for row in _rows(records):
        table.add_row(row.name, *_cells(row, records))
    return table


def _rows(records: Sequence[Record]) -> list[_Row]:
    rows = [_measure_row(name) for name in records[0]["measures"]]
    rows += [
        _profile_row("non-zero weights", "nonzeros", _count),
        _profile_row("parameters", "parameters", _count),
        _profile_row("inference FLOPs", "flops", si_number),
        _Row(
            "training FLOPs", lambda r: r["training_flops"], si_number, _ratio
        ),
        _profile_row("packed weights, bytes", "bytes", _count),
    ]
    if all(record["files"] for record in records):
        rows.append(
            _Row(
                "SavedModel on disk, bytes",
                lambda record: record["files"]["saved_model_bytes"],
                _count,
                _ratio,
            )
        )
    rows.append(_Row("training time", lambda r: r["seconds"], _seconds, _ratio))
    return rows


def _measure_row(name: str) -> _Row:
    return _Row(
        name.replace("_", " "),
        lambda record: record["measures"][name],
        lambda value: write_measure(name, value),
        _points if is_accuracy(name) else _difference,
    )


def _profile_row(name: str, key: str, write: Callable[[float], str]) -> _Row:
    return _Row(name, lambda record: record["profile"][key], write, _ratio)


def _cells(row: _Row, records: Sequence[Record]) -> list[str]:
    values = [float(row.value(record)) for record in records]
    cells = [row.write(value) for value in values]
    if len(values) == 2:
        cells.append(row.compare(*values))
    return cells


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s"


def _ratio(first: float, second: float) -> str:
    return f"× {second / first:.3g}" if first else ""


def _points(first: float, second: float) -> str:
    return f"{100 * (second - first):+.2f} points"


def _difference(first: float, second: float) -> str:
    return f"{second - first:+.4f}"
