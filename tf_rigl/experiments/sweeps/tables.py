"""The tables of a sweep, as Markdown for files and for terminals."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

from tf_rigl.core import text_table
from tf_rigl.experiments import methods
from tf_rigl.experiments.formatting import write_measure
from tf_rigl.experiments.sweeps import records

_NOTHING = "–"
_WIDEST = "packed bytes"
_EPOCHS = "epochs"
COSTS = (
    "non-zero weights",
    _WIDEST,
    "inference FLOPs",
    "training FLOPs",
)


class Heading(NamedTuple):
    """The facts in the introduction of a table."""

    command: str  # the command that repeats the sweep
    network: str
    epochs: int
    seeds: int  # the number of requested seeds
    runs: int  # the number of requested runs
    ended: int  # the number of runs with results
    versions: str


def make_heading(
    command: str,
    network: str,
    epochs: int,
    seeds: int,
    runs: int,
    found: Sequence[records.Record],
) -> Heading:
    """Makes the heading of the table of the records found so far."""
    versions = {
        f"{name} {version}"
        for record in found
        for name, version in record["versions"].items()
    }
    return Heading(
        command,
        network,
        epochs,
        seeds,
        runs,
        len(found),
        ", ".join(sorted(versions)),
    )


def headline_text(record: records.Record) -> str:
    """Returns the headline measure of a run in words."""
    measure = record["headline"]
    value = write_measure(measure, record["measures"][measure])
    return f"{measure.replace('_', ' ')} {value}"


def markdown(summary: records.SweepSummary, heading: Heading) -> str:
    """Formats the table for a Markdown file."""
    rows = [_cells(summary, row) for row in summary.rows]
    lines = [
        f"{heading.network}, {_introduction(summary, heading)}",
        "",
        f"`{heading.command}`",
        "",
        _line(rows[0]),
        _line(["---", *["---:"] * (len(rows[0]) - 1)]),
        *(_line(row.values()) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def summary_table(
    summary: records.SweepSummary, heading: Heading
) -> text_table.TextTable:
    """Makes the table for a terminal of 80 columns."""
    names = [measure_name(summary), "runs", *_costs(summary)]
    names.remove(_WIDEST)
    rows = []
    for row in summary.rows:
        cells = _cells(summary, row)
        rows.append([row.label, *(cells[name] for name in names)])
    return text_table.TextTable(
        ["", *names],
        rows,
        title=heading.network,
        caption=_introduction(summary, heading),
    )


def page_cells(summary: records.SweepSummary) -> list[dict[str, str]]:
    """Formats the cells of all rows for a page, by the name of the column."""
    return [_cells(summary, row) for row in summary.rows]


def measure_name(summary: records.SweepSummary) -> str:
    """Returns the headline measure in words, for columns and axes."""
    return summary.headline.replace("_", " ")


def share(value: float | None) -> str:
    """Formats a multiple of the dense network's cost, with three digits."""
    return _NOTHING if value is None else f"{value:.3g} ×"


def _introduction(summary: records.SweepSummary, heading: Heading) -> str:
    """Returns the text above the table, which says what it shows."""
    better = "highest" if summary.higher_is_better else "lowest"
    each = heading.epochs if summary.has_one_length else "by FLOPs"
    trained = (
        "the whole training"
        if summary.has_one_length
        else f"the whole training, dense for {heading.epochs} epochs"
    )
    text = (
        f"epochs: {each}, seeds: {heading.seeds}; mean ± sample "
        f"standard deviation over the seeds, {better} is best. FLOPs are "
        "shares of the dense network's, for one example in inference and for "
        f"{trained}. {heading.versions}."
    )
    if heading.ended < heading.runs:
        text += f" So far {heading.ended} of {heading.runs} runs."
    return text


def _cells(
    summary: records.SweepSummary, row: records.SummaryRow
) -> dict[str, str]:
    found, name = row.headline, summary.headline
    cells = [
        f"{row.epochs:.4g}",
        f"{row.nonzeros:,.0f}",
        f"{row.packed_bytes:,.0f}",
        share(row.inference),
        share(row.training),
    ]
    costs = dict(zip((_EPOCHS, *COSTS), cells, strict=True))

    return {
        "method": methods.find(row.method).label,
        "sparsity": _NOTHING
        if row.sparsity is None
        else f"{100 * row.sparsity:.4g} %",
        measure_name(summary): _mean(name, found),
        "lowest to highest": f"{write_measure(name, found.lowest)} to "
        f"{write_measure(name, found.highest)}",
        "runs": str(found.runs),
        **{name: costs[name] for name in _costs(summary)},
    }


def _costs(summary: records.SweepSummary) -> tuple[str, ...]:
    return COSTS if summary.has_one_length else (_EPOCHS, *COSTS)


def _mean(name: str, found: records.Spread) -> str:
    mean = write_measure(name, found.mean)
    if found.deviation is None:
        return mean
    return f"{mean} ± {write_measure(name, found.deviation)}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
