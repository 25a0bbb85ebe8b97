"""Pictures of a search: its front, its course, its champion.

Requires matplotlib: call `optional_packages.check_matplotlib` before importing
this module.
"""

import pathlib

import numpy as np
from matplotlib import axes
from matplotlib import collections as lines
from matplotlib import figure

from tf_rigl.experiments import figures
from tf_rigl.wann import activations
from tf_rigl.wann import genome as genomes
from tf_rigl.wann import live_nodes
from tf_rigl.wann.genome import Genome
from tf_rigl.wann.search_result import SearchResult

_DOTS_PER_INCH = 150
_SIZE = (7.2, 4.8)  # inches
# Beyond this many nodes in a level their names would overlap.
_MOST_NAMES = 30


def write(folder: pathlib.Path, result: SearchResult) -> None:
    """Writes front.png, history.png and champion.png, each atomically."""
    drawn = {
        "front.png": draw_front(result),
        "history.png": draw_history(result),
        "champion.png": draw_network(result.best, f"{result.task}: champion"),
    }
    for name, fig in drawn.items():
        figures.write_png(fig, folder / name, _DOTS_PER_INCH)


def draw_front(result: SearchResult) -> figure.Figure:
    """Draws scores of the last generation's front over connections."""
    fig, ax = _new()
    sizes = [one.connections for one in result.front]
    for number, (label, scores) in enumerate(
        (
            ("mean over shared weights", [one.mean for one in result.front]),
            ("best shared weight", [one.best for one in result.front]),
        )
    ):
        style = figures.style_of(number)
        ax.plot(
            sizes,
            scores,
            color=style.color,
            marker=style.marker,
            linestyle=style.line,
            label=label,
        )
    ax.set_xlabel("connections")
    ax.set_ylabel("score")
    figures.name_all(fig, f"{result.task}: front of the last generation")
    return fig


def draw_history(result: SearchResult) -> figure.Figure:
    """Draws the best mean of each generation, and the champion's."""
    fig, ax = _new()
    numbers = [one.generation for one in result.history]
    for number, (label, scores) in enumerate(
        (
            ("champion", [one.champion for one in result.history]),
            ("best of the generation", [one.mean for one in result.history]),
        )
    ):
        style = figures.style_of(number)
        ax.plot(
            numbers,
            scores,
            color=style.color,
            marker=style.marker if len(numbers) == 1 else None,
            linestyle=style.line,
            label=label,
        )
    ax.set_xlabel("generation")
    ax.set_ylabel("mean over shared weights")
    figures.name_all(fig, f"{result.task}: course of the search")
    return fig


def draw_network(genome: Genome, title: str = "") -> figure.Figure:
    """Draws a network from left to right: inputs, levels, outputs.

    Nodes and connections that reach no output are left out.
    """
    live = live_nodes.find(genome)
    places = _places(genome)
    fig, ax = _new()
    segments = [
        (places[source], places[end])
        for source, end in zip(
            live.sources.tolist(), live.destinations.tolist(), strict=True
        )
    ]
    ax.add_collection(
        lines.LineCollection(
            segments, colors=figures.INK, linewidths=0.6, alpha=0.5
        )
    )
    for kind, name in enumerate(genomes.KINDS):
        there = [node for node in places if genome.kinds[node] == kind]
        if there:
            _draw_nodes(ax, genome, kind, name, [(n, places[n]) for n in there])
    ax.set_axis_off()
    figures.name_all(fig, f"{title}, {genome.connections} connections")
    return fig


def _draw_nodes(
    ax: axes.Axes,
    genome: Genome,
    kind: int,
    name: str,
    nodes: list[tuple[int, tuple[float, float]]],
) -> None:
    style = figures.style_of(kind)
    across, down = np.array([place for _, place in nodes]).T
    ax.scatter(
        across,
        down,
        color=style.color,
        marker=style.marker,
        label=name,
        zorder=2,
    )
    if kind == genomes.BIAS or len(nodes) > _MOST_NAMES:
        return
    for node, place in nodes:
        ax.annotate(
            activations.name_of(int(genome.functions[node]))
            if kind == genomes.HIDDEN
            else str(genome.nodes[node]),
            place,
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color=figures.INK,
        )


def _places(genome: Genome) -> dict[int, tuple[float, float]]:
    """Returns where nodes are drawn, by their places in the genome."""
    live = live_nodes.find(genome)
    levels = dict(zip(live.nodes.tolist(), live.levels.tolist(), strict=True))
    hidden = genome.kinds[live.nodes] == genomes.HIDDEN
    last = int(live.levels[hidden].max(initial=-1)) + 1
    columns: dict[int, list[int]] = {}
    used = {*live.sources.tolist(), *live.destinations.tolist(), *levels}
    for node in sorted(used):
        kind = genome.kinds[node]
        column = levels.get(node, -1) + 1
        if kind == genomes.OUTPUT:
            column = last + 1
        columns.setdefault(column, []).append(node)
    return {
        node: (float(column), -(row + 0.5) / len(nodes))
        for column, nodes in columns.items()
        for row, node in enumerate(nodes)
    }


def _new() -> tuple[figure.Figure, axes.Axes]:
    fig = figures.new_figure(*_SIZE)
    ax = fig.subplots()
    figures.apply_style(ax)
    return fig, ax
