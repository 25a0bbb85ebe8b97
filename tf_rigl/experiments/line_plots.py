"""Lines of means with bands of deviations, in the style of all pictures.

Requires matplotlib: call `optional_packages.check_matplotlib` before importing
this module.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import axes
from matplotlib import figure
from matplotlib import ticker

from tf_rigl.experiments import figures
from tf_rigl.experiments.sweeps.records import Spread

DOTS_PER_INCH = 150
# Width and height in inches, of a file and of a picture in a page.
_WIDE = (7.2, 4.8)
_NARROW = (4.4, 3.9)
_MOST_TICKS = 9


class Line(NamedTuple):
    """A line of a plot, at least one point long."""

    label: str
    places: Sequence[float]  # on the horizontal axis, in percent
    values: Sequence[Spread]
    # Whether a thin line continues the mean of the first point.
    continues: bool = False


def draw(
    lines: Sequence[Line],
    places: Sequence[float],
    *,
    scale: float,
    axes_of: tuple[str, str],
    title: str = "",
    narrow: bool = False,
) -> figure.Figure:
    """Draws lines with bands of one standard deviation in each direction.

    Args:
        lines: the lines, each of which gets a style of its own.
        places: where the horizontal axis may have ticks, in percent.
        scale: what values are multiplied by.
        axes_of: the names of the horizontal and the vertical axis.
        title: the title.
        narrow: whether the figure suits a page on a telephone.
    """
    fig = figures.new_figure(*(_NARROW if narrow else _WIDE))
    ax = fig.subplots()
    figures.apply_style(ax)
    for number, line in enumerate(lines):
        if line.values:
            _draw_line(ax, line, scale, number)

    _set_axis(ax, places)
    across, up = axes_of
    ax.set_xlabel(across)
    ax.set_ylabel(up)
    ax.grid(color=figures.INK, alpha=0.15)
    figures.name_all(fig, ax, title, narrow)
    return fig


def _draw_line(ax: axes.Axes, line: Line, scale: float, number: int) -> None:
    style = figures.style_of(number)
    mean = scale * np.array([one.mean for one in line.values])
    spread = scale * np.array([one.deviation or 0.0 for one in line.values])

    ax.plot(
        line.places,
        mean,
        color=style.color,
        marker=style.marker,
        linestyle=style.line,
        markersize=5,
        linewidth=1.5,
        label=line.label,
    )
    ax.fill_between(
        line.places,
        mean - spread,
        mean + spread,
        color=style.color,
        alpha=0.15,
        linewidth=0,
    )
    if len(mean) == 1:
        # Where a band has no width to be seen.
        ax.errorbar(
            line.places, mean, yerr=spread, color=style.color, capsize=3
        )
    if line.continues:
        ax.axhline(mean[0], color=style.color, linewidth=0.8, linestyle=":")


def _set_axis(ax: axes.Axes, places: Sequence[float]) -> None:
    """Sets a logarithmic axis that falls, with ticks at some of the places."""
    found = sorted(set(places), reverse=True)
    # The first and the last place always have one.
    count = min(len(found), _MOST_TICKS)
    chosen = np.linspace(0, len(found) - 1, count).round().astype(int)
    shown = [found[place] for place in chosen]
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(ticker.FixedLocator(shown))
    ax.xaxis.set_major_formatter(
        ticker.FixedFormatter([f"{one:.3g}" for one in shown])
    )
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    if found:
        # The margins keep a single place in sight, too.
        ax.set_xlim(1.15 * max(found), min(found) / 1.15)
