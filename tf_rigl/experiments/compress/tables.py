"""The table of compressions, for files, terminals and pages."""

from collections.abc import Sequence

from tf_rigl.core import cells
from tf_rigl.experiments import formatting
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.compress.records import SummaryRow
from tf_rigl.experiments.compress.settings import EARLY_BIRD
from tf_rigl.experiments.process_sets import tables as set_tables
from tf_rigl.experiments.process_sets.tables import Cells
from tf_rigl.experiments.process_sets.tables import Heading
from tf_rigl.experiments.sweeps.records import Spread

_HEADER = (
    *("removed", "training", "parameters", "FLOPs"),
    *("search", "epochs", "cost"),
)
_KINDS = {
    trainings.PRUNED: "none",
    "finetune": "fine-tuned",
    "scratch_e": "scratch-E",
    "scratch_b": "scratch-B",
    EARLY_BIRD: "early bird",
}


def page_cells(rows: Sequence[SummaryRow]) -> Cells:
    """Formats the header and the cells of all rows.

    The learning rate is a column if there are several.
    """
    header = [*_HEADER, rows[0].measure.replace("_", " "), "seeds"]
    return set_tables.with_rates(rows, header, list(map(_cells, rows)))


def introduction(heading: Heading) -> str:
    """Returns what the table shows, in words."""
    return (
        f"steps of the large network: {heading.steps:,}, seeds: "
        f"{heading.seeds}; mean ± sample standard deviation over the seeds. "
        "Parameters and FLOPs of inference: left of the large network's. "
        "Search: epochs of the large network before the cut; cost: training "
        "FLOPs with the search, as a multiple of the large network's. "
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
        f"{row.search:.4g}",
        f"{row.epochs:.4g}",
        f"{row.cost:.2f}",
        value_text(row.measure, row.value),
        str(row.value.runs),
    ]
