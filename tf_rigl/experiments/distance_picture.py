"""The picture of the distances of masks, as in the early-bird paper."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_rigl.backend import atomic_files
from tf_rigl.experiments import optional_packages

_SIDE = 3.6  # inches of one panel


def plot_mask_distances(
    distances: Any,
    path: str | os.PathLike[str],
    *,
    first_epoch: int = 0,
    overwrite: bool = False,
) -> None:
    """Draws the distances of masks of each two epochs, as in the paper.

    Each panel is a heat map with an epoch along each axis, of one color scale.
    In a dark square at the end of the diagonal, masks hardly differ: an
    early-bird ticket emerges where it begins.

    Args:
        distances: the `distances` of a `tf_rigl.EarlyBird`, float
            [epochs, epochs], or several by title, such as
            `{"30 %": first.distances, "50 %": second.distances}`.
        path: path of the PNG file, local or supported by `tf.io.gfile`.
        first_epoch: the epoch of the first row and column.
        overwrite: whether an existing file may be replaced.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: if there are no distances, they are not square, or the
            file exists already.

    Reference: You et al., "Drawing Early-Bird Tickets", ICLR 2020,
    arXiv:1909.11957, section 3.
    """
    optional_packages.check_matplotlib()
    panels = distances if isinstance(distances, Mapping) else {"": distances}
    arrays = {name: np.asarray(one) for name, one in panels.items()}
    _check(arrays)
    atomic_files.check_free(path, overwrite)

    # Imported here, since it needs matplotlib and training does not.
    from tf_rigl.experiments import figures

    figures.write_png(draw(arrays, first_epoch), path)


def draw(distances: Mapping[str, np.ndarray], first_epoch: int = 0) -> Any:
    """Returns the figure of `plot_mask_distances`, of arrays by title."""
    # Imported here, since it needs matplotlib and training does not.
    from tf_rigl.experiments import figures

    fig = figures.new_figure(_SIDE * len(distances) + 0.8, _SIDE)
    # Panels are square: without this, titles are cut off beside a color bar.
    fig.set_layout_engine("compressed")
    axs = fig.subplots(1, len(distances), squeeze=False)[0]
    largest = max(float(one.max()) for one in distances.values())
    for ax, (title, array) in zip(axs, distances.items(), strict=True):
        # Each epoch has a square around its number.
        ends = (first_epoch - 0.5, first_epoch + len(array) - 0.5)
        image = ax.imshow(
            array,
            cmap="viridis",
            vmin=0.0,
            vmax=largest or 1.0,
            origin="lower",
            interpolation="nearest",
            extent=(*ends, *ends),
        )
        figures.apply_style(ax)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.yaxis.get_major_locator().set_params(integer=True)
        ax.set_xlabel("epoch")
        ax.set_title(title, color=figures.INK, parse_math=False)
    axs[0].set_ylabel("epoch")
    fig.colorbar(image, ax=list(axs), label="mask distance")
    return fig


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    wrong = {
        name: one.shape
        for name, one in arrays.items()
        if one.ndim != 2 or one.shape[0] != one.shape[1] or not one.size
    }
    if wrong or not arrays:
        raise ValueError(
            "Distances are those of each two masks, [epochs, epochs]. "
            f"Received: shapes {wrong}. Pass `distances` of an EarlyBird after "
            "`fit`."
        )
