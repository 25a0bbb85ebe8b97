"""Plots of searches against the weights left, as the paper draws them.

Requires matplotlib: call `optional_packages.check_matplotlib` before importing
this module.
"""

import pathlib
from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib import figure

from tf_rigl.experiments import figures
from tf_rigl.experiments import line_plots
from tf_rigl.experiments.process_sets.tables import by_rate
from tf_rigl.experiments.sweeps.records import Spread
from tf_rigl.experiments.tickets import records
from tf_rigl.experiments.tickets import tables
from tf_rigl.experiments.tickets.records import SummaryRow


class Measure(NamedTuple):
    """What a plot shows over the weights left."""

    file: str
    title: str
    axis: str
    scale: float
    of: Callable[[SummaryRow], Spread | None]


MEASURES = (
    Measure(
        "accuracy.png",
        "test accuracy at the end",
        "accuracy, %",
        100.0,
        lambda row: row.end,
    ),
    Measure(
        "accuracy_at_early_stop.png",
        "test accuracy at the early stop",
        "accuracy, %",
        100.0,
        lambda row: row.there,
    ),
    Measure(
        "early_stop.png",
        "step of the early stop",
        "step",
        1.0,
        lambda row: row.early_stop,
    ),
)


def write(
    folder: pathlib.Path, rows: Sequence[SummaryRow], network: str
) -> None:
    """Writes the plots to PNG files, each atomically."""
    for measure in MEASURES:
        fig = draw(measure, rows, f"{network}: {measure.title}")
        figures.write_png(fig, folder / measure.file, line_plots.DOTS_PER_INCH)


def draw(
    measure: Measure,
    rows: Sequence[SummaryRow],
    title: str = "",
    narrow: bool = False,
) -> figure.Figure:
    """Draws a measure over the weights left, on an axis that falls.

    There is a line for each kind of training, in a panel for each learning
    rate, with a band of one standard deviation in each direction. A thin line
    continues the dense network's mean. A `narrow` figure suits a page on a
    telephone.
    """
    return line_plots.draw(
        [
            line_plots.Panel(
                rate,
                [_line(measure, found, kind) for kind in records.kinds(rows)],
                [100 * row.left for row in found if row.kind == records.TICKET],
            )
            for rate, found in by_rate(rows).items()
        ],
        scale=measure.scale,
        axes_of=("weights left, %", measure.axis),
        title=title,
        narrow=narrow,
    )


def _line(
    measure: Measure, rows: Sequence[SummaryRow], kind: str
) -> line_plots.Line:
    known = [
        (row.level, 100 * row.left, found)
        for row in rows
        if row.kind == kind and (found := measure.of(row)) is not None
    ]
    known.sort(key=lambda one: one[0])
    return line_plots.Line(
        tables.kind_text(kind),
        [left for _, left, _ in known],
        [found for _, _, found in known],
        continues=bool(known) and known[0][0] == 0,
    )
