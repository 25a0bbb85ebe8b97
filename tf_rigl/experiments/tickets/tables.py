"""The table of searches, for files, terminals and pages."""

from collections.abc import Sequence
from typing import NamedTuple

from tf_rigl.core import cells
from tf_rigl.core import text_table
from tf_rigl.experiments import formatting
from tf_rigl.experiments.sweeps.records import Spread
from tf_rigl.experiments.tickets import records
from tf_rigl.experiments.tickets.records import SummaryRow

_NOTHING = "–"
_RATE = "learning rate"
_HEADER = (
    "level",
    "kind",
    "left",
    "early stop",
    "accuracy there",
    "at the end",
    "trained",
)


class Heading(NamedTuple):
    """The facts in the introduction of a table."""

    command: str  # the command that repeats the searches
    network: str
    steps: int  # of a training that begins at step 0
    seeds: int  # the number of requested seeds
    versions: str


def markdown(rows: Sequence[SummaryRow], heading: Heading) -> str:
    """Formats the table for a Markdown file."""
    header, body = page_cells(rows)
    return formatting.markdown(
        f"{heading.network}, {introduction(heading)}",
        heading.command,
        header,
        body,
        text_columns=2,
    )


def terminal_table(
    rows: Sequence[SummaryRow], heading: Heading
) -> text_table.TextTable:
    """Makes the table for a terminal of 80 columns."""
    header, body = page_cells(rows)
    return text_table.TextTable(
        header,
        body,
        text_columns=2,
        title=heading.network,
        caption=introduction(heading),
    )


def page_cells(
    rows: Sequence[SummaryRow],
) -> tuple[list[str], list[list[str]]]:
    """Formats the header and the cells of all rows.

    The learning rate is a column if there are several.
    """
    if len(records.learning_rates(rows)) < 2:
        return list(_HEADER), list(map(_cells, rows))
    body = [[f"{row.learning_rate:g}", *_cells(row)] for row in rows]
    return [_RATE, *_HEADER], body


def introduction(heading: Heading) -> str:
    """Returns what the table shows, in words."""
    return (
        f"steps: {heading.steps:,}, seeds: {heading.seeds}; mean ± sample "
        "standard deviation over the seeds, the draws of a seed averaged "
        "first. Early stop: the step of least validation loss, there and at "
        f"the end the accuracy on the test data. {heading.versions}."
    )


def kind_text(kind: str) -> str:
    """Returns the kind of a training in words."""
    return kind.replace("_keep_sign", ", sign kept").replace("_", " ")


def accuracy_text(found: Spread | None) -> str:
    """Formats the mean of an accuracy over seeds, and its deviation."""
    if found is None:
        return _NOTHING
    mean = formatting.write_measure(records.MEASURE, found.mean)
    if found.deviation is None:
        return mean
    return f"{mean} ± {100 * found.deviation:.2f}"


def step_text(found: Spread | None) -> str:
    """Formats the mean of a step over seeds, and its deviation."""
    if found is None:
        return _NOTHING
    mean = f"{found.mean:,.0f}"
    if found.deviation is None:
        return mean
    return f"{mean} ± {found.deviation:,.0f}"


def _cells(row: SummaryRow) -> list[str]:
    return [
        str(row.level),
        kind_text(row.kind),
        cells.percent(row.left),
        step_text(row.early_stop),
        accuracy_text(row.there),
        accuracy_text(row.end),
        str(row.trainings),
    ]
