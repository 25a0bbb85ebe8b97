"""The table of compressions, for files, terminals and pages."""

from collections.abc import Sequence

from tf_rigl.core import cells
from tf_rigl.core import text_table
from tf_rigl.experiments import formatting
from tf_rigl.experiments.compress import records
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.compress.records import SummaryRow
from tf_rigl.experiments.compress.settings import EARLY_BIRD
from tf_rigl.experiments.sweeps.records import Spread
from tf_rigl.experiments.tickets.tables import Heading

_RATE = "learning rate"
_HEADER = ("removed", "training", "parameters", "FLOPs", "epochs")
_KINDS = {
    trainings.PRUNED: "none",
    "finetune": "fine-tuned",
    "scratch_e": "scratch-E",
    "scratch_b": "scratch-B",
    EARLY_BIRD: "early bird",
}


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
    header = [*_HEADER, rows[0].measure.replace("_", " "), "seeds"]
    body = list(map(_cells, rows))
    if len(records.learning_rates(rows)) < 2:
        return header, body
    rates = [f"{row.learning_rate:g}" for row in rows]
    return (
        [_RATE, *header],
        [[rate, *row] for rate, row in zip(rates, body, strict=True)],
    )


def introduction(heading: Heading) -> str:
    """Returns what the table shows, in words."""
    return (
        f"steps of the large network: {heading.steps:,}, seeds: "
        f"{heading.seeds}; mean ± sample standard deviation over the seeds. "
        "Parameters and FLOPs of inference: left of the large network's. "
        f"{heading.versions}."
    )


def kind_text(kind: str) -> str:
    """Returns the kind of a training in words."""
    return _KINDS.get(kind, kind)


def target_text(target: str) -> str:
    """Returns what was removed in words: a share, or down to what network."""
    if not target:
        return ""
    try:
        return f"{100 * float(target):g} %"
    except ValueError:
        return f"to {target}"


def value_text(measure: str, found: Spread) -> str:
    """Formats the mean of a measure over seeds, and its deviation."""
    mean = formatting.write_measure(measure, found.mean)
    if found.deviation is None:
        return mean
    if formatting.is_accuracy(measure):
        return f"{mean} ± {100 * found.deviation:.2f}"
    return f"{mean} ± {found.deviation:.4f}"


def _cells(row: SummaryRow) -> list[str]:
    return [
        target_text(row.target),
        kind_text(row.kind),
        cells.percent(row.parameters_left),
        cells.percent(row.flops_left),
        f"{row.epochs:g}",
        value_text(row.measure, row.value),
        str(row.value.runs),
    ]
