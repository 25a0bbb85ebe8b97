"""The table of searches, for files, terminals and pages."""

from collections.abc import Sequence

from tf_rigl.core import cells
from tf_rigl.experiments import formatting
from tf_rigl.experiments.process_sets import tables as set_tables
from tf_rigl.experiments.process_sets.tables import Cells
from tf_rigl.experiments.process_sets.tables import Heading
from tf_rigl.experiments.sweeps.records import Spread
from tf_rigl.experiments.tickets import records
from tf_rigl.experiments.tickets.records import SummaryRow

_NOTHING = "–"
_HEADER = (
    "level",
    "kind",
    "left",
    "early stop",
    "accuracy there",
    "at the end",
    "trained",
)


def page_cells(rows: Sequence[SummaryRow]) -> Cells:
    """Formats the header and the cells of all rows.

    The learning rate is a column if there are several.
    """
    return set_tables.with_rates(rows, _HEADER, list(map(_cells, rows)))


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
