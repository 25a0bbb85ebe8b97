"""Lines of means with bands of deviations, in the style of all pictures.

Requires matplotlib: call `optional_packages.check_matplotlib` before importing
this module.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import axes
from matplotlib import figure
from matplotlib import ticker

from tf_rigl.experiments import figures
from tf_rigl.experiments.sweeps.records import Spread

DOTS_PER_INCH = 150
# Width and height in inches of axes and of what stands beside or below them,
# in a file and in a picture in a page.
_WIDE = (4.3, 4.8)
_BESIDE = 2.9
_NARROW = (4.4, 3.0)
_BELOW = 0.9
_MOST_TICKS = 9


class Line(NamedTuple):
    """A line of a plot, at least one point long."""

    label: str
    places: Sequence[float]  # on the horizontal axis, in percent
    values: Sequence[Spread]
    # Whether a thin line continues the mean of the first point.
    continues: bool = False


class Panel(NamedTuple):
    """Lines that share axes."""

    title: str
    # Each has a style of its own, the same as the line of this index in other
    # panels. Lines without points are left out.
    lines: Sequence[Line]
    places: Sequence[float]  # where there may be ticks, in percent


def draw(
    panels: Sequence[Panel],
    *,
    scale: float,
    axes_of: tuple[str, str],
    title: str = "",
    narrow: bool = False,
) -> figure.Figure:
    """Draws lines with bands of one standard deviation in each direction.

    Panels have the same ranges and one legend.

    Args:
        panels: what is drawn, at least one panel.
        scale: what values are multiplied by.
        axes_of: the names of the horizontal and the vertical axis.
        title: the title.
        narrow: whether the figure suits a page on a telephone: panels stand
            below each other instead of beside.
    """
    fig, axs = _new_axes(len(panels), narrow)
    across, up = axes_of
    limits = _limits([place for panel in panels for place in panel.places])
    for ax, panel in zip(axs, panels, strict=True):
        figures.apply_style(ax)
        for number, line in enumerate(panel.lines):
            if line.values:
                _draw_line(ax, line, scale, number)
        _set_axis(ax, panel.places, limits)
        ax.set_title(panel.title, color=figures.INK, fontsize="medium")
        ax.set_xlabel(across)
        ax.set_ylabel(up)
        ax.label_outer()
        ax.grid(color=figures.INK, alpha=0.15)
    figures.name_all(fig, title, narrow)
    return fig


def _new_axes(
    count: int, narrow: bool
) -> tuple[figure.Figure, Sequence[axes.Axes]]:
    """Makes a figure with axes that share the vertical range."""
    if narrow:
        width, height = _NARROW
        fig = figures.new_figure(width, count * height + _BELOW)
        axs = fig.subplots(count, 1, sharey=True, squeeze=False)
    else:
        width, height = _WIDE
        fig = figures.new_figure(count * width + _BESIDE, height)
        axs = fig.subplots(1, count, sharey=True, squeeze=False)
    return fig, list(axs.ravel())


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


def _limits(places: Sequence[float]) -> tuple[float, float]:
    """Returns the first and the last place on an axis that falls."""
    return (max(places), min(places)) if places else (100.0, 100.0)


def _set_axis(
    ax: axes.Axes, places: Sequence[float], limits: tuple[float, float]
) -> None:
    """Sets a logarithmic axis that falls, with ticks at some of the places."""
    first, last = limits
    shown = _ticks(places, math.log(first / last) / _MOST_TICKS)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(ticker.FixedLocator(shown))
    ax.xaxis.set_major_formatter(
        ticker.FixedFormatter([f"{one:.3g}" for one in shown])
    )
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    # The margins keep a single place in sight, too.
    ax.set_xlim(1.15 * first, last / 1.15)


def _ticks(places: Sequence[float], gap: float) -> list[float]:
    """Chooses places whose logarithms are not closer than `gap`.

    The first and the last one are among them in any case.
    """
    if not places:
        return []
    found = sorted(set(places), reverse=True)
    shown, last = found[:1], found[-1]
    for place in found[1:-1]:
        nearest = min(shown[-1] / place, place / last)
        if math.log(nearest) >= gap:
            shown.append(place)
    return sorted({*shown, last}, reverse=True)
