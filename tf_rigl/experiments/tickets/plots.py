"""Plots of searches against the weights left, as the paper draws them.

Requires matplotlib: call `optional_packages.check_matplotlib` before importing
this module.
"""

import pathlib
from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import axes
from matplotlib import figure
from matplotlib import ticker

from tf_rigl.experiments import figures
from tf_rigl.experiments.sweeps.records import Spread
from tf_rigl.experiments.tickets import records
from tf_rigl.experiments.tickets import tables
from tf_rigl.experiments.tickets.records import SummaryRow

_DOTS_PER_INCH = 150
# Width and height in inches, of a file and of a picture in a page.
_WIDE = (7.2, 4.8)
_NARROW = (4.4, 3.9)
_MOST_TICKS = 9


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
        figures.write_png(fig, folder / measure.file, _DOTS_PER_INCH)


def draw(
    measure: Measure,
    rows: Sequence[SummaryRow],
    title: str = "",
    narrow: bool = False,
) -> figure.Figure:
    """Draws a measure over the weights left, on an axis that falls.

    There is a line for each kind of training, and for each learning rate if
    there are several, with a band of one standard deviation in each direction.
    A thin line continues the dense network's mean. A `narrow` figure suits a
    page on a telephone.
    """
    fig = figures.new_figure(*(_NARROW if narrow else _WIDE))
    ax = fig.subplots()
    figures.apply_style(ax)
    rates, kinds = records.learning_rates(rows), records.kinds(rows)
    number = 0
    for rate in rates:
        for kind in kinds:
            label = tables.kind_text(kind)
            if len(rates) > 1:
                label = f"{label}, {rate:g}"
            chosen = [
                row
                for row in rows
                if row.learning_rate == rate and row.kind == kind
            ]
            _draw_line(ax, measure, chosen, label, number)
            number += 1

    _set_axis(ax, [row.left for row in rows if row.kind == records.TICKET])
    ax.set_ylabel(measure.axis)
    ax.grid(color=figures.INK, alpha=0.15)
    figures.name_all(fig, ax, title, narrow)
    return fig


def _draw_line(
    ax: axes.Axes,
    measure: Measure,
    rows: Sequence[SummaryRow],
    label: str,
    number: int,
) -> None:
    known = [
        (100 * row.left, found, row.level)
        for row in rows
        if (found := measure.of(row)) is not None
    ]
    if not known:
        return
    known.sort(key=lambda one: one[2])
    style = figures.style_of(number)
    left = np.array([one for one, _, _ in known])
    mean = np.array([measure.scale * one.mean for _, one, _ in known])
    spread = measure.scale * np.array(
        [one.deviation or 0.0 for _, one, _ in known]
    )

    ax.plot(
        left,
        mean,
        color=style.color,
        marker=style.marker,
        linestyle=style.line,
        markersize=5,
        linewidth=1.5,
        label=label,
    )
    ax.fill_between(
        left,
        mean - spread,
        mean + spread,
        color=style.color,
        alpha=0.15,
        linewidth=0,
    )
    if len(known) == 1:
        # Where a band has no width to be seen.
        ax.errorbar(left, mean, yerr=spread, color=style.color, capsize=3)
    if known[0][2] == 0:
        ax.axhline(mean[0], color=style.color, linewidth=0.8, linestyle=":")


def _set_axis(ax: axes.Axes, left: Sequence[float]) -> None:
    """Sets a logarithmic axis that falls, with ticks at levels."""
    found = sorted({100 * one for one in left}, reverse=True)
    # The first and the last level always have one.
    count = min(len(found), _MOST_TICKS)
    places = np.linspace(0, len(found) - 1, count).round().astype(int)
    shown = [found[place] for place in places]
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(ticker.FixedLocator(shown))
    ax.xaxis.set_major_formatter(
        ticker.FixedFormatter([f"{one:.3g}" for one in shown])
    )
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    if found:
        # The margins keep a single level in sight, too.
        ax.set_xlim(1.15 * max(found), min(found) / 1.15)
    ax.set_xlabel("weights left, %")
