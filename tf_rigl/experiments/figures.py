"""Helpers to make matplotlib figures and write them to files.

Figures are made without pyplot, which would need a window system and change
global state of matplotlib.
"""

import base64
import io
import os
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib import axes
from matplotlib import figure

from tf_rigl.backend import atomic_files

PAPER = "#ffffff"
INK = "#1c2430"
# Ink and the palette of Okabe and Ito for all kinds of color vision, with wine
# of Paul Tol's in place of their yellow, which is too pale on white paper.
PALETTE = (
    INK,
    "#d55e00",  # vermillion
    "#0072b2",  # blue
    "#009e73",  # green
    "#cc79a7",  # purple
    "#e69f00",  # orange
    "#56b4e9",  # sky blue
    "#882255",  # wine
)
# The colors that change where the reader has chosen a dark page.
ON_DARK = {PAPER: "#1e242c", INK: "#e4e9f0", "#882255": "#f0e442"}
_MARKERS = "osD^vPX"
_LINES = ("-", "--", "-.", ":")

ACTIVE = PALETTE[2]
_REMOVED = "#dddddd"
# Within a page, the parts of a figure that are pixels, such as heat maps.
_DOTS_PER_INCH = 200


class Style(NamedTuple):
    """The style of one of several lines, told by more than its color."""

    color: str
    marker: str
    line: str


def style_of(index: int) -> Style:
    """Returns a style; those of the first 56 indices are all different."""
    count = len(PALETTE)
    return Style(
        PALETTE[index % count],
        _MARKERS[index % len(_MARKERS)],
        # Colors that are used again have another line.
        _LINES[(index + index // count) % len(_LINES)],
    )


def new_figure(width: float, height: float) -> figure.Figure:
    """Makes an empty figure with a size in inches."""
    return figure.Figure(figsize=(width, height), layout="constrained")


def apply_style(ax: axes.Axes) -> None:
    """Draws frame, ticks and labels of axes in ink, the frame thinner."""
    for spine in ax.spines.values():
        spine.set_edgecolor(INK)
        spine.set_alpha(0.4)
    ax.tick_params(colors=INK)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_color(INK)


def write_png(
    fig: figure.Figure, path: str | os.PathLike[str], dots_per_inch: int = 120
) -> None:
    """Writes a figure to a PNG file atomically."""
    with atomic_files.open_whole(path) as file:
        fig.savefig(file, format="png", dpi=dots_per_inch)


def svg_uri(fig: figure.Figure) -> str:
    """Returns a figure as an SVG document in a `data:` URI.

    Equal figures give equal documents. Text is kept as text, which takes a
    tenth of the size of its outlines. Paper, ink and palette follow the color
    scheme of the page.
    """
    content = io.StringIO()
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "tf_rigl"}
    ):
        fig.savefig(
            content, format="svg", dpi=_DOTS_PER_INCH, metadata={"Date": None}
        )
    document = _with_color_schemes(content.getvalue())
    return data_uri("image/svg+xml", document.encode())


def data_uri(kind: str, content: bytes) -> str:
    """Returns a `data:` URI with the content of a file of a MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _with_color_schemes(document: str) -> str:
    """Replaces colors that change on dark pages by variables of a style."""
    names = {color: f"--c{color[1:]}" for color in ON_DARK}
    for color, name in names.items():
        document = document.replace(color, f"var({name})")

    light, dark = (
        "".join(f"{name}:{of[color]};" for color, name in names.items())
        for of in ({color: color for color in ON_DARK}, ON_DARK)
    )
    style = (
        f"<style>:root{{{light}}}@media (prefers-color-scheme:dark)"
        f"{{:root{{{dark}}}}}</style>"
    )
    return document.replace("<defs>", f"{style}<defs>", 1)


def draw_shares(ax: axes.Axes, active: np.ndarray, all_of: np.ndarray) -> None:
    """Draws a bar for each weight, in front of the bar of the dense weight.

    `active` and `all_of` are float [weights], the lengths of the two bars.
    """
    rows = np.arange(len(active))
    ax.barh(rows, all_of, color=_REMOVED, label="dense")
    ax.barh(rows, active, color=ACTIVE, label="sparse")


def name_rows(ax: axes.Axes, names: Sequence[str], most: int = 40) -> None:
    """Labels rows from the top, with the ends of names longer than `most`."""
    shown = [short(name, most) for name in names]
    ax.set_yticks(range(len(shown)), shown, fontsize=6, parse_math=False)
    ax.invert_yaxis()


def short(name: str, most: int) -> str:
    """Cuts off the beginning of a name of more than `most` characters."""
    return name if len(name) <= most else f"…{name[1 - most :]}"


def largest(items: Sequence[Any], sizes: Sequence[int], most: int) -> list[Any]:
    """Returns the `most` items with the largest sizes, in their order."""
    order = sorted(range(len(items)), key=lambda index: -sizes[index])
    return [items[index] for index in sorted(order[:most])]


def name_all(fig: figure.Figure, title: str, narrow: bool = False) -> None:
    """Adds the title, and a legend of what has a label in any of the axes.

    Args:
        fig: the figure.
        title: the title.
        narrow: whether the legend stands below instead of beside.
    """
    handles: dict[str, Any] = {}
    for ax in fig.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    fig.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center" if narrow else "outside right center",
        ncols=3 if narrow else 1,
        frameon=False,
        labelcolor=INK,
    )
    fig.suptitle(title, color=INK)
