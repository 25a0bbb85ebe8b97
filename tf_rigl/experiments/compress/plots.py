"""Plots of compressions against what is left of the large network.

Requires matplotlib: call `optional_packages.check_matplotlib` before importing
this module.
"""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib import figure

from tf_rigl.experiments import figures
from tf_rigl.experiments import formatting
from tf_rigl.experiments import line_plots
from tf_rigl.experiments.compress import records
from tf_rigl.experiments.compress import tables
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.compress.records import SummaryRow
from tf_rigl.experiments.process_sets.tables import by_rate


class Costs(NamedTuple):
    """What a plot has on its horizontal axis."""

    file: str
    axis: str
    field: str  # of a `SummaryRow`


COSTS = (
    Costs("against_parameters.png", "parameters left, %", "parameters_left"),
    Costs("against_flops.png", "FLOPs left, %", "flops_left"),
)


def write(
    folder: pathlib.Path, rows: Sequence[SummaryRow], network: str
) -> None:
    """Writes the plots to PNG files, each atomically."""
    for costs in COSTS:
        fig = draw(costs, rows, network)
        figures.write_png(fig, folder / costs.file, line_plots.DOTS_PER_INCH)


def draw(
    costs: Costs,
    rows: Sequence[SummaryRow],
    title: str = "",
    narrow: bool = False,
) -> figure.Figure:
    """Draws the measure over what is left, on an axis that falls.

    There is a line for each way of training, in a panel for each learning rate.
    A thin line continues the large network's mean. Networks that were cut and
    not trained are left out, as they would hide the rest.
    """
    shown = [row for row in rows if row.kind != trainings.PRUNED]
    measure = rows[0].measure
    is_share = formatting.is_accuracy(measure)
    words = measure.replace("_", " ")
    return line_plots.draw(
        [
            line_plots.Panel(
                rate,
                [_line(costs, found, kind) for kind in records.kinds(shown)],
                [_place(costs, row) for row in found],
            )
            for rate, found in by_rate(shown).items()
        ],
        scale=100.0 if is_share else 1.0,
        axes_of=(costs.axis, f"{words}, %" if is_share else words),
        title=title,
        narrow=narrow,
    )


def _line(
    costs: Costs, rows: Sequence[SummaryRow], kind: str
) -> line_plots.Line:
    known = [
        (_place(costs, row), row.value) for row in rows if row.kind == kind
    ]
    known.sort(key=lambda one: -one[0])
    return line_plots.Line(
        tables.kind_text(kind),
        [place for place, _ in known],
        [value for _, value in known],
        continues=kind == trainings.LARGE,
    )


def _place(costs: Costs, row: SummaryRow) -> float:
    return 100 * getattr(row, costs.field)
