"""The results of runs as a table, for people."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from rich.table import Table

from tf_rigl.core import text_table
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


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _ratio(first: float, second: float) -> str:
    return f"× {second / first:.3g}" if first else ""


class _Quantity(NamedTuple):
    """One row of the table."""

    name: str
    value: Callable[[Record], float]
    write: Callable[[float], str] = _count
    # From the first run to the second.
    compare: Callable[[float, float], str] = _ratio

    def cells(self, records: Sequence[Record]) -> list[str]:
        """Writes the value of each run and, of two, the comparison."""
        values = [float(self.value(record)) for record in records]
        compared = [self.compare(*values)] if len(values) == 2 else []
        return [*map(self.write, values), *compared]


_SIZES = (
    _Quantity("non-zero weights", lambda one: one["profile"]["nonzeros"]),
    _Quantity("parameters", lambda one: one["profile"]["parameters"]),
    _Quantity(
        "inference FLOPs", lambda one: one["profile"]["flops"], si_number
    ),
    _Quantity("training FLOPs", lambda one: one["training_flops"], si_number),
    _Quantity("packed weights, bytes", lambda one: one["profile"]["bytes"]),
)
_ON_DISK = _Quantity(
    "SavedModel on disk, bytes", lambda one: one["files"]["saved_model_bytes"]
)
_TIME = _Quantity(
    "training time", lambda one: one["seconds"], lambda value: f"{value:.1f} s"
)


def title(record: Record) -> str:
    """Names the network and the data in a line."""
    settings = record["settings"]
    return f"{settings['model']} on {settings['data']}"


def results_table(records: Sequence[Record]) -> Table:
    """Makes the table of runs of one network, one column for each.

    With two of them a last column compares the second with the first.

    Args:
        records: the content of their `results.json`, the dense one first.

    Returns:
        A table to print by rich.
    """
    quantities = [*map(_measure, records[0]["measures"]), *_SIZES]
    if all(record["files"] for record in records):
        quantities.append(_ON_DISK)
    quantities.append(_TIME)

    labels = [record["label"] for record in records]
    compared = ["compared"] if len(records) == 2 else []
    return text_table.table(
        ["", *labels, *compared],
        [[one.name, *one.cells(records)] for one in quantities],
        title=title(records[0]),
        caption=FOOTNOTE,
    )


def _measure(name: str) -> _Quantity:
    return _Quantity(
        name.replace("_", " "),
        lambda record: record["measures"][name],
        lambda value: write_measure(name, value),
        _points if is_accuracy(name) else _difference,
    )


def _points(first: float, second: float) -> str:
    return f"{100 * (second - first):+.2f} points"


def _difference(first: float, second: float) -> str:
    return f"{second - first:+.4f}"
