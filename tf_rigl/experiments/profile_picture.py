"""A picture of what each layer of a network costs.

Figures are made without pyplot, so no window system is asked for and no
global state of matplotlib is touched.
"""

import pathlib

import numpy as np
from matplotlib import axes
from matplotlib import figure

from tf_rigl.accounting import ModelProfile

_DOTS_PER_INCH = 120
_LEFT, _GONE = "#1f5fa8", "#dddddd"


def draw_profile(path: pathlib.Path, profile: ModelProfile) -> None:
    """Draws density and multiply-accumulates, layer by layer.

    Args:
        path: Of the PNG file to write, in an existing folder.
        profile: Of the network.
    """
    rows = [row for row in profile.rows if row.dense_macs and row.parameters]
    drawing = figure.Figure(
        figsize=(12, max(4.0, 0.17 * len(rows) + 1.2)), layout="constrained"
    )
    places = drawing.subplots(1, 2, sharey=True, squeeze=False).ravel()
    _draw_bars(
        places[0],
        np.array([row.nonzeros / row.parameters for row in rows]),
        np.ones(len(rows)),
        "density",
    )
    _draw_bars(
        places[1],
        np.array([row.macs for row in rows]) / 1e6,
        np.array([row.dense_macs for row in rows]) / 1e6,
        "million multiply-accumulates of one example",
    )
    names = [row.path for row in rows]
    places[0].set_yticks(range(len(rows)), names, fontsize=6)
    places[0].invert_yaxis()
    drawing.suptitle(
        f"{profile.name}: {profile.nonzeros:,} of {profile.parameters:,} "
        f"weights, {profile.flops / 1e9:.3f} of "
        f"{profile.dense_flops / 1e9:.3f} GFLOPs"
    )
    drawing.savefig(path, dpi=_DOTS_PER_INCH)


def _draw_bars(
    place: axes.Axes, left: np.ndarray, dense: np.ndarray, label: str
) -> None:
    rows = np.arange(len(left))
    place.barh(rows, dense, color=_GONE, label="dense")
    place.barh(rows, left, color=_LEFT, label="sparse")
    place.set_xlabel(label)
