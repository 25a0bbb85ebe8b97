"""Plots of a sweep: the headline measure over sparsity and over FLOPs."""

import pathlib
from collections.abc import Sequence

from matplotlib import axes
from matplotlib import figure
from matplotlib import ticker

from tf_rigl.experiments import figures
from tf_rigl.experiments import formatting
from tf_rigl.experiments import methods
from tf_rigl.experiments.figures import Style
from tf_rigl.experiments.sweeps.records import SummaryRow
from tf_rigl.experiments.sweeps.records import SweepSummary
from tf_rigl.experiments.sweeps.tables import measure_name

FLOPS = ("inference", "training")  # the fields of a row over which to draw
_DOTS_PER_INCH = 150
# Width and height in inches, of a file and of a picture in a page.
_WIDE = (7.2, 4.8)
_NARROW = (4.4, 3.9)
# The methods with the first styles. The others follow in the order of the
# registry.
_FIRST = ("dense", "rigl", "set", "static", "pruning", "snfs", "small_dense")


def style_of(method: str, objects: Sequence[str] = ()) -> Style:
    """Returns the style of a method, different for all methods.

    `objects` are those of the sweep that are not of the command line.
    """
    others = [name for name in methods.METHODS if name not in _FIRST]
    style = figures.style_of([*_FIRST, *others, *objects].index(method))
    return style._replace(marker="*") if method == "dense" else style


def draw_against_sparsity(
    path: pathlib.Path, summary: SweepSummary, title: str
) -> None:
    """Writes the plot over sparsity to a PNG file."""
    fig = against_sparsity(summary, title)
    figures.write_png(fig, path, _DOTS_PER_INCH)


def draw_against_flops(
    path: pathlib.Path, summary: SweepSummary, title: str
) -> None:
    """Writes the plot over FLOPs to a PNG file."""
    figures.write_png(against_flops(summary, title), path, _DOTS_PER_INCH)


def against_sparsity(
    summary: SweepSummary, title: str, narrow: bool = False
) -> figure.Figure:
    """Draws the measure of each method over sparsity.

    Error bars show one standard deviation in each direction. Methods without a
    sparsity are horizontal lines. If all others share one sparsity, they are
    rows of dots instead, as they would all be above each other. A `narrow`
    figure suits a page on a telephone.
    """
    found = {row.sparsity for row in summary.rows if row.sparsity is not None}
    if len(found) <= 1:
        return _dots(summary, title, narrow)

    fig = figures.new_figure(*(_NARROW if narrow else _WIDE))
    ax = fig.subplots()
    _draw_methods(ax, summary, "sparsity")

    ax.set_xticks(sorted(found), [f"{100 * one:.4g}" for one in sorted(found)])
    ax.set_xlabel("sparsity, %")
    _finish(fig, [ax], summary, title, narrow)
    return fig


def against_flops(summary: SweepSummary, title: str) -> figure.Figure:
    """Draws the measure over inference FLOPs and over training FLOPs."""
    fig = figures.new_figure(11.5, 4.8)
    axs = list(fig.subplots(1, 2, sharey=True, squeeze=False).ravel())
    for ax, field in zip(axs, FLOPS, strict=True):
        _draw_against_flops(ax, summary, field)
    _finish(fig, axs, summary, title)
    return fig


def against_flops_of(
    summary: SweepSummary, field: str, title: str
) -> figure.Figure:
    """Draws the measure over one of `FLOPS`, in a narrow figure."""
    fig = figures.new_figure(*_NARROW)
    ax = fig.subplots()
    _draw_against_flops(ax, summary, field)
    _finish(fig, [ax], summary, title, narrow=True)
    return fig


def _draw_against_flops(
    ax: axes.Axes, summary: SweepSummary, field: str
) -> None:
    # Keeps the dense network in sight if all others are close together.
    ax.axvline(1.0, color=figures.INK, linewidth=0.6, alpha=0.5)
    _draw_methods(ax, summary, field)

    ax.set_xscale("log")
    ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    ax.xaxis.set_minor_formatter(ticker.NullFormatter())
    ax.set_xlabel(f"{field} FLOPs, × those of the dense network")


def _dots(summary: SweepSummary, title: str, narrow: bool) -> figure.Figure:
    """Draws a row of each method with its mean, the best one at the top.

    A pale bar reaches from the lowest to the highest seed, an error bar over
    one standard deviation in each direction.
    """
    sign = -1 if summary.higher_is_better else 1
    rows = sorted(summary.rows, key=lambda row: sign * row.headline.mean)
    width, _ = _NARROW if narrow else _WIDE
    fig = figures.new_figure(width, 0.36 * len(rows) + 1.3)
    ax = fig.subplots()
    figures.apply_style(ax)

    for height, row in enumerate(rows):
        _draw_dot(ax, summary, row, height)
    ax.set_yticks(range(len(rows)), [row.label for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="x", color=figures.INK, alpha=0.15)
    ax.set_axisbelow(True)
    ax.set_xlabel(_axis_name(summary))
    fig.suptitle(title, color=figures.INK)
    return fig


def _draw_dot(
    ax: axes.Axes, summary: SweepSummary, row: SummaryRow, height: int
) -> None:
    scale, found = _scale(summary), row.headline
    style = style_of(row.method, _objects(summary))
    if row.sparsity is None:
        # To compare the other rows with the dense network.
        ax.axvline(
            scale * found.mean, color=style.color, linewidth=0.8, linestyle=":"
        )
    ax.hlines(
        height,
        scale * found.lowest,
        scale * found.highest,
        color=style.color,
        alpha=0.35,
        linewidth=5,
    )
    ax.errorbar(
        [scale * found.mean],
        [height],
        xerr=[_deviation(summary, row)],
        color=style.color,
        marker=style.marker,
        markersize=10 if row.method == "dense" else 7,
        capsize=3,
    )


def _draw_methods(ax: axes.Axes, summary: SweepSummary, field: str) -> None:
    """Draws a line for each method over a field of its rows.

    Rows without the field have no point. Methods without a sparsity have a
    horizontal line.
    """
    figures.apply_style(ax)
    scale = _scale(summary)
    objects = _objects(summary)
    for method in (*methods.METHODS, *objects):
        label = methods.find(method).label
        style = style_of(method, objects)
        rows = [row for row in summary.rows if row.method == method]
        across = [row for row in rows if row.sparsity is None]
        for row in across:
            mean, spread = scale * row.headline.mean, _deviation(summary, row)
            ax.axhline(mean, color=style.color, linewidth=1.2, label=label)
            ax.axhspan(
                mean - spread, mean + spread, color=style.color, alpha=0.1
            )

        rows = [row for row in rows if getattr(row, field) is not None]
        rows.sort(key=lambda row: getattr(row, field))
        if rows:
            deviations = [_deviation(summary, row) for row in rows]
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
    narrow: bool = False,
) -> None:
    axs[0].set_ylabel(_axis_name(summary))
    for ax in axs:
        ax.grid(color=figures.INK, alpha=0.15)
    figures.name_all(fig, title, narrow)


def _axis_name(summary: SweepSummary) -> str:
    unit = ", %" if formatting.is_accuracy(summary.headline) else ""
    better = "" if summary.higher_is_better else " (lower is better)"
    return measure_name(summary) + unit + better


def _objects(summary: SweepSummary) -> list[str]:
    """Returns the methods that are not of the command line, sorted."""
    found = {row.method for row in summary.rows}
    return sorted(found - set(methods.METHODS))


def _deviation(summary: SweepSummary, row: SummaryRow) -> float:
    return _scale(summary) * (row.headline.deviation or 0.0)


def _scale(summary: SweepSummary) -> float:
    return 100.0 if formatting.is_accuracy(summary.headline) else 1.0
