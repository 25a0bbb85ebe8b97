"""Figures of matplotlib, and the files that they are written to.

Figures are made without pyplot, so no window system is asked for and no
global state of matplotlib is touched.
"""

import base64
import io
import os
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import axes
from matplotlib import figure

from tf_rigl.backend import atomic_files

ACTIVE = "#1f5fa8"
_REMOVED = "#dddddd"


def new_figure(width: float, height: float) -> figure.Figure:
    """Makes an empty figure, measured in inches."""
    return figure.Figure(figsize=(width, height), layout="constrained")


def write_png(
    fig: figure.Figure, path: str | os.PathLike[str], dots_per_inch: int = 120
) -> None:
    """Writes a figure to a PNG file, whole or not at all."""
    with atomic_files.open_whole(path) as file:
        fig.savefig(file, format="png", dpi=dots_per_inch)


def svg_uri(fig: figure.Figure) -> str:
    """Writes a figure as an SVG document in a `data:` URI.

    Equal figures give equal documents. Text stays text, which takes a tenth
    of the bytes of its outlines.
    """
    content = io.BytesIO()
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "tf_rigl"}
    ):
        fig.savefig(content, format="svg", metadata={"Date": None})
    return data_uri("image/svg+xml", content.getvalue())


def data_uri(kind: str, content: bytes) -> str:
    """Writes a file as a URI that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def draw_shares(ax: axes.Axes, active: np.ndarray, all_of: np.ndarray) -> None:
    """Draws a row for each weight: what is left of what it was.

    Both are float [weights]; the bars of `all_of` are behind.
    """
    rows = np.arange(len(active))
    ax.barh(rows, all_of, color=_REMOVED, label="dense")
    ax.barh(rows, active, color=ACTIVE, label="sparse")


def name_rows(ax: axes.Axes, names: Sequence[str], most: int = 40) -> None:
    """Labels the rows of axes from the top, by the ends of long names."""
    shown = [short(name, most) for name in names]
    ax.set_yticks(range(len(shown)), shown, fontsize=6, parse_math=False)
    ax.invert_yaxis()


def short(name: str, most: int) -> str:
    """Cuts the beginning of a name that has too many characters."""
    return name if len(name) <= most else f"…{name[1 - most :]}"


def largest(items: Sequence[Any], sizes: Sequence[int], most: int) -> list[Any]:
    """Returns the items with the largest sizes, in their order."""
    order = sorted(range(len(items)), key=lambda index: -sizes[index])
    return [items[index] for index in sorted(order[:most])]
