"""The picture of a benchmark.

Requires matplotlib: call `optional_packages.check_matplotlib` before importing
this module.
"""

import numpy as np
from matplotlib import axes
from matplotlib import figure

from tf_rigl.experiments import figures
from tf_rigl.experiments.benchmark import records
from tf_rigl.experiments.benchmark import tables
from tf_rigl.experiments.benchmark.records import Measurement
from tf_rigl.experiments.benchmark.records import Results

DOTS_PER_INCH = 150
_WIDTH = 4.4  # inches, of a panel
_BAR = 0.32
_FRAME = 1.2
_LONGEST_NAME = 32
_MEBI = 2.0**20


def draw(results: Results) -> figure.Figure:
    """Draws latencies, a panel for each threads and batch, and memory.

    Bars are medians over the rounds, from the lowest to the highest.
    """
    names = [one.label for one in results.models]
    panels = list(results.groups())
    height = _FRAME + _BAR * len(names)
    columns = len(results.settings.batch_sizes)
    rows = -(-len(panels) // columns)
    fig = figures.new_figure(_WIDTH * (columns + 1), height * rows)
    grid = fig.subplots(rows, columns + 1, squeeze=False)
    for ax in grid.flat:
        ax.set_visible(False)

    for place, ((threads, batch), members) in enumerate(panels):
        ax = grid[place // columns, place % columns]
        _draw_latency(ax, names, members)
        _finish(
            ax, names, f"batch {batch}, {records.threads_in_words(threads)}"
        )
    ax = grid[0, columns]
    _draw_memory(ax, names, results)
    _finish(ax, names, "memory of the process")
    return fig


def _draw_latency(
    ax: axes.Axes, names: list[str], members: list[Measurement]
) -> None:
    for one in members:
        row = names.index(one.model)
        median = 1e3 * one.median
        low, high = 1e3 * min(one.rounds), 1e3 * max(one.rounds)
        ax.barh(
            row,
            median,
            color=figures.style_of(row + 1).color,
            xerr=np.array([[median - low], [high - median]]),
            ecolor=figures.INK,
            capsize=2,
        )
        ax.annotate(
            tables.milliseconds(one.median),
            (high, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=figures.INK,
        )
    ax.set_xlabel("ms a call")


def _draw_memory(ax: axes.Axes, names: list[str], results: Results) -> None:
    """Draws the largest process of each model, over that without it."""
    runtimes = {one.model: one.runtime_bytes for one in results.openings}
    for row, name in enumerate(names):
        sizes = [
            one.process_bytes
            for one in results.measurements
            if one.model == name
        ]
        if sizes:
            whole, runtime = max(sizes) / _MEBI, runtimes[name] / _MEBI
            color = figures.style_of(row + 1).color
            ax.barh(row, runtime, color=color, alpha=0.3)
            ax.barh(row, whole - runtime, left=runtime, color=color)
    ax.set_xlabel("MB; pale: without the model")


def _finish(ax: axes.Axes, names: list[str], title: str) -> None:
    ax.set_visible(True)
    figures.apply_style(ax)
    figures.name_rows(ax, names, _LONGEST_NAME)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.margins(x=0.2)
    ax.tick_params(axis="x", labelsize=7)
    ax.xaxis.label.set_fontsize(8)
    ax.set_title(title, color=figures.INK, fontsize=9)
