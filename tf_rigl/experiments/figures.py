"""Helpers to make matplotlib figures and write them to files.

Figures are made without pyplot, which would need a window system and change
global state of matplotlib.
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
    """Makes an empty figure with a size in inches."""
    return figure.Figure(figsize=(width, height), layout="constrained")


def write_png(
    fig: figure.Figure, path: str | os.PathLike[str], dots_per_inch: int = 120
) -> None:
    """Writes a figure to a PNG file atomically."""
    with atomic_files.open_whole(path) as file:
        fig.savefig(file, format="png", dpi=dots_per_inch)


def svg_uri(fig: figure.Figure) -> str:
    """Returns a figure as an SVG document in a `data:` URI.

    Equal figures give equal documents. Text is kept as text, which takes a
    tenth of the size of its outlines.
    """
    content = io.BytesIO()
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "tf_rigl"}
    ):
        fig.savefig(content, format="svg", metadata={"Date": None})
    return data_uri("image/svg+xml", content.getvalue())


def data_uri(kind: str, content: bytes) -> str:
    """Returns a `data:` URI with the content of a file of a MIME type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


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
