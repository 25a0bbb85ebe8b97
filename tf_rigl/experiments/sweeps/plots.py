"""Plots of a sweep: the headline measure over sparsity and over FLOPs."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib import axes
from matplotlib import figure
from matplotlib import ticker

from tf_rigl.experiments import figures
from tf_rigl.experiments import formatting
from tf_rigl.experiments import methods
from tf_rigl.experiments.sweeps.records import SweepSummary
from tf_rigl.experiments.sweeps.tables import measure_name

_DOTS_PER_INCH = 150
_DENSE = "#000000"
# Okabe and Ito's palette for all kinds of color vision, without yellow, which
# is too pale for lines.
_COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^vPX"
_LINES = ("-", "--", ":")
# The methods with the first colors. The others follow in the order of the
# registry.
_FIRST = ("rigl", "set", "static", "pruning", "snfs", "small_dense")


class Style(NamedTuple):
    """The style in which all plots draw a method."""

    color: str
    marker: str
    line: str


def style_of(method: str, objects: Sequence[str] = ()) -> Style:
    """Returns the style of a method, different for all methods.

    `objects` are those of the sweep that are not of the command line.
    """
    if method == "dense":
        return Style(_DENSE, "*", "-")
    others = [name for name in methods.METHODS if name not in _FIRST]
    others.remove("dense")
    index = [*_FIRST, *others, *objects].index(method)
    return Style(
        _COLORS[index % len(_COLORS)],
        _MARKERS[index % len(_MARKERS)],
        _LINES[index // len(_COLORS) % len(_LINES)],
    )


def draw_against_sparsity(
    path: pathlib.Path, summary: SweepSummary, title: str
) -> None:
    """Draws the measure of each method over sparsity.

    Error bars show one standard deviation in each direction. Methods without a
    sparsity are horizontal lines.
    """
    fig = figures.new_figure(7.2, 4.8)
    ax = fig.subplots()
    _draw_methods(ax, summary, "sparsity")

    found = {row.sparsity for row in summary.rows if row.sparsity is not None}
    ax.set_xticks(sorted(found), [f"{100 * one:.4g}" for one in sorted(found)])
    ax.set_xlabel("sparsity, %")
    _finish(fig, [ax], summary, title, path)


def draw_against_flops(
    path: pathlib.Path, summary: SweepSummary, title: str
) -> None:
    """Draws the measure over inference FLOPs and over training FLOPs."""
    fig = figures.new_figure(11.5, 4.8)
    axs = list(fig.subplots(1, 2, sharey=True, squeeze=False).ravel())
    for ax, field in zip(axs, ("inference", "training"), strict=True):
        # Keeps the dense network in sight if all others are close together.
        ax.axvline(1.0, color=_DENSE, linewidth=0.6, alpha=0.5)
        _draw_methods(ax, summary, field)

        ax.set_xscale("log")
        ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        ax.xaxis.set_minor_formatter(ticker.NullFormatter())
        ax.set_xlabel(f"{field} FLOPs, × those of the dense network")
    _finish(fig, axs, summary, title, path)


def _draw_methods(ax: axes.Axes, summary: SweepSummary, field: str) -> None:
    """Draws a line for each method over a field of its rows.

    Rows without the field have no point. Methods without a sparsity have a
    horizontal line.
    """
    scale = _scale(summary)
    found = dict.fromkeys(row.method for row in summary.rows)
    objects = sorted(set(found) - set(methods.METHODS))
    for method in (*methods.METHODS, *objects):
        label = methods.find(method).label
        style = style_of(method, objects)
        rows = [row for row in summary.rows if row.method == method]
        across = [row for row in rows if row.sparsity is None]
        for row in across:
            mean = scale * row.headline.mean
            spread = scale * (row.headline.deviation or 0.0)
            ax.axhline(mean, color=style.color, linewidth=1.2, label=label)
            ax.axhspan(
                mean - spread, mean + spread, color=style.color, alpha=0.1
            )

        rows = [row for row in rows if getattr(row, field) is not None]
        rows.sort(key=lambda row: getattr(row, field))
        deviations = [scale * (row.headline.deviation or 0.0) for row in rows]
        if rows:
            ax.errorbar(
                [getattr(row, field) for row in rows],
                [scale * row.headline.mean for row in rows],
                yerr=None if across else deviations,
                color=style.color,
                marker=style.marker,
                linestyle=style.line,
                markersize=10 if across else 6,
                capsize=3,
                linewidth=1.5,
                label=None if across else label,
            )


def _finish(
    fig: figure.Figure,
    axs: Sequence[axes.Axes],
    summary: SweepSummary,
    title: str,
    path: pathlib.Path,
) -> None:
    """Adds labels, grid, legend and title, and writes the file."""
    unit = ", %" if formatting.is_accuracy(summary.headline) else ""
    better = "" if summary.higher_is_better else " (lower is better)"
    axs[0].set_ylabel(measure_name(summary) + unit + better)
    for ax in axs:
        ax.grid(alpha=0.25)

    handles, labels = axs[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside right center", frameon=False)
    fig.suptitle(title)
    figures.write_png(fig, path, _DOTS_PER_INCH)


def _scale(summary: SweepSummary) -> float:
    return 100.0 if formatting.is_accuracy(summary.headline) else 1.0
