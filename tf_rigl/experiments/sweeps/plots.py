"""Plots of a sweep: a measure against sparsity and against FLOPs."""

import pathlib
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from matplotlib import axes
from matplotlib import figure
from matplotlib import ticker

from tf_rigl.experiments import figures
from tf_rigl.experiments import methods
from tf_rigl.experiments.sweeps.summary import SummaryRow
from tf_rigl.experiments.sweeps.summary import SweepSummary
from tf_rigl.experiments.sweeps.tables import measure_name

_DOTS_PER_INCH = 150
_DENSE = "#000000"
# Of Okabe and Ito's palette for all kinds of color vision, without the
# yellow, which is too pale for lines.
_COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^vPX"
_LINES = ("-", "--", ":")
# These get the first colors; then the others, in the order of their table.
_FIRST = ("rigl", "set", "static", "pruning", "snfs", "small_dense")


class Style(NamedTuple):
    """The look of a method, the same in all plots."""

    color: str
    marker: str
    line: str


def style_of(method: str) -> Style:
    """Gives each method a style of its own."""
    if method == "dense":
        return Style(_DENSE, "*", "-")
    others = [name for name in methods.METHODS if name not in _FIRST]
    others.remove("dense")
    index = [*_FIRST, *others].index(method)
    return Style(
        _COLORS[index % len(_COLORS)],
        _MARKERS[index % len(_MARKERS)],
        _LINES[index // len(_COLORS) % len(_LINES)],
    )


def draw_against_sparsity(
    path: pathlib.Path, summary: SweepSummary, title: str
) -> None:
    """Draws the measure of each method against sparsity.

    Bars are one standard deviation each way; methods without a sparsity are
    lines across.
    """
    fig = figures.new_figure(7.2, 4.8)
    ax = fig.subplots()
    _draw_dense_lines(ax, summary)
    for method, rows in _by_method(summary).items():
        _draw_points(ax, summary, method, [row.sparsity for row in rows], rows)

    found = {row.sparsity for row in summary.rows if row.sparsity is not None}
    ax.set_xticks(sorted(found), [f"{100 * one:.4g}" for one in sorted(found)])
    ax.set_xlabel("sparsity, %")
    _finish(fig, [ax], summary, title, path)


def draw_against_flops(
    path: pathlib.Path, summary: SweepSummary, title: str
) -> None:
    """Draws the measure against FLOPs of inference, and against training's."""
    fig = figures.new_figure(11.5, 4.8)
    axs = list(fig.subplots(1, 2, sharey=True, squeeze=False).ravel())
    for ax, field in zip(axs, ("inference", "training"), strict=True):
        # The dense network's, in sight even where all others are close.
        ax.axvline(1.0, color=_DENSE, linewidth=0.6, alpha=0.5)
        _draw_dense_lines(ax, summary)
        _draw_dense_points(ax, summary, field)
        for method, rows in _by_method(summary).items():
            known = [row for row in rows if getattr(row, field) is not None]
            shares = [getattr(row, field) for row in known]
            _draw_points(ax, summary, method, shares, known)

        ax.set_xscale("log")
        ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        ax.xaxis.set_minor_formatter(ticker.NullFormatter())
        ax.set_xlabel(f"{field} FLOPs, × those of the dense network")
    _finish(fig, axs, summary, title, path)


def _by_method(summary: SweepSummary) -> dict[str, list[SummaryRow]]:
    """Groups rows with a sparsity, in the order of the table of methods."""
    return {
        method: rows
        for method in methods.METHODS
        if (
            rows := [
                row
                for row in summary.rows
                if row.method == method and row.sparsity is not None
            ]
        )
    }


def _draw_dense_lines(ax: axes.Axes, summary: SweepSummary) -> None:
    scale = _scale(summary)
    for row in summary.rows:
        if row.sparsity is not None:
            continue
        style = style_of(row.method)
        mean = scale * row.headline.mean
        spread = scale * (row.headline.deviation or 0.0)
        ax.axhline(
            mean,
            color=style.color,
            linewidth=1.2,
            label=methods.METHODS[row.method].label,
        )
        ax.axhspan(mean - spread, mean + spread, color=style.color, alpha=0.1)


def _draw_dense_points(
    ax: axes.Axes, summary: SweepSummary, field: str
) -> None:
    """Marks the FLOPs that methods without a sparsity take."""
    for row in summary.rows:
        if row.sparsity is None:
            style = style_of(row.method)
            ax.plot(
                [getattr(row, field)],
                [_scale(summary) * row.headline.mean],
                color=style.color,
                marker=style.marker,
                markersize=10,
                linestyle="",
            )


def _draw_points(
    ax: axes.Axes,
    summary: SweepSummary,
    method: str,
    where: Sequence[Any],
    rows: Sequence[SummaryRow],
) -> None:
    """Draws points with bars, joined from left to right."""
    if not rows:
        return

    style, scale = style_of(method), _scale(summary)
    order = sorted(range(len(rows)), key=lambda index: where[index])
    spreads = [rows[index].headline for index in order]
    ax.errorbar(
        [where[index] for index in order],
        [scale * found.mean for found in spreads],
        yerr=[scale * (found.deviation or 0.0) for found in spreads],
        color=style.color,
        marker=style.marker,
        linestyle=style.line,
        markersize=6,
        capsize=3,
        linewidth=1.5,
        label=methods.METHODS[method].label,
    )


def _finish(
    fig: figure.Figure,
    axs: Sequence[axes.Axes],
    summary: SweepSummary,
    title: str,
    path: pathlib.Path,
) -> None:
    """Adds what all plots have, and writes the file."""
    percent = ", %" if summary.higher_is_better else " (lower is better)"
    axs[0].set_ylabel(measure_name(summary) + percent)
    for ax in axs:
        ax.grid(alpha=0.25)

    handles, labels = axs[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside right center", frameon=False)
    fig.suptitle(title)
    figures.write_png(fig, path, _DOTS_PER_INCH)


def _scale(summary: SweepSummary) -> float:
    return 100.0 if summary.higher_is_better else 1.0
