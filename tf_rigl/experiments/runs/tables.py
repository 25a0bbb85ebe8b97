"""The results of runs as a table, for people."""

import functools
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

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


def title(record: Record) -> str:
    """Names the network and the data in a line."""
    settings = record["settings"]
    return f"{settings['model']} on {settings['data']}"


def results_table(records: Sequence[Record]) -> Table:
    """Makes the table of runs of one network, one column for each.

    With two of them a last column compares the second with the first, which
    is the dense one.
    """
    labels = [record["label"] for record in records]
    compared = ["compared"] if len(records) == 2 else []
    return text_table.table(
        ["", *labels, *compared],
        list(_rows(records)),
        title=title(records[0]),
        caption=FOOTNOTE,
    )


def _rows(records: Sequence[Record]) -> Iterator[list[str]]:
    for name in records[0]["measures"]:
        yield _row(
            name.replace("_", " "),
            [record["measures"][name] for record in records],
            functools.partial(write_measure, name),
            _points if is_accuracy(name) else _difference,
        )

    profiles = [record["profile"] for record in records]
    for name, key, write in (
        ("non-zero weights", "nonzeros", _count),
        ("parameters", "parameters", _count),
        ("inference FLOPs", "flops", si_number),
    ):
        yield _row(name, [one[key] for one in profiles], write)
    trained = [record["training_flops"] for record in records]
    yield _row("training FLOPs", trained, si_number)
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
    """Writes the value of each run and, of two, the second by the first."""
    compared = [compare(*values)] if len(values) == 2 else []
    return [name, *map(write, values), *compared]
