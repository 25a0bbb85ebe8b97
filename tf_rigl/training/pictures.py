"""Pictures of the connections that a first layer kept.

Figures are made without pyplot, so no window system is asked for and no
global state of matplotlib is touched.
"""

import math
import pathlib
from collections.abc import Sequence

import numpy as np
from matplotlib import cm
from matplotlib import colormaps
from matplotlib import colors
from matplotlib import figure

_DOTS_PER_INCH = 150
_GAP = 2  # cells between two units of the grid
_COLUMNS_FOR_ONE_ROW = 1.5  # shape of the grid
_GRID_DOTS = 1800  # about the width of the grid
_MARGIN, _TITLE_HEIGHT, _BAR_WIDTH = 30, 90, 180  # dots
_NO_CONNECTION = "#ececec"
_PAPER = "white"
# Pale shades are left out, so that the smallest weight still shows.
_SIGNS = colors.ListedColormap(
    [
        *colormaps["Blues"](np.linspace(1.0, 0.45, 128)),
        *colormaps["Oranges"](np.linspace(0.45, 1.0, 128)),
    ]
)


def connections_per_pixel(
    mask: np.ndarray, image_shape: Sequence[int]
) -> np.ndarray:
    """Counts the connections of each input pixel.

    Args:
        mask: bool `[pixels, units]`, the mask of the first layer.
        image_shape: Height and width; their product is the pixels.

    Returns:
        int64 `[height, width]`.
    """
    return mask.sum(axis=1, dtype=np.int64).reshape(image_shape)


def order_by_connections(mask: np.ndarray) -> np.ndarray:
    """Orders units from most to fewest connections, ties by index.

    Args:
        mask: bool `[pixels, units]`.

    Returns:
        int64 `[units]`, indices of the units.
    """
    return np.argsort(-mask.sum(axis=0, dtype=np.int64), kind="stable")


def tile_units(
    values: np.ndarray, image_shape: Sequence[int], fill: float
) -> np.ndarray:
    """Lays the inputs of each unit out as an image, all in one grid.

    Args:
        values: float `[pixels, units]`.
        image_shape: Height and width of a unit's image.
        fill: Value of the gaps and of the grid's unused places.

    Returns:
        float `[rows * (height + 2), columns * (width + 2)]`.
    """
    height, width = image_shape
    units = values.shape[1]
    columns = min(units, math.ceil(math.sqrt(units * _COLUMNS_FOR_ONE_ROW)))
    rows = math.ceil(units / columns)
    tiles = np.full(
        (rows * columns, height + _GAP, width + _GAP), fill, np.float64
    )
    top = left = _GAP // 2
    tiles[:units, top : top + height, left : left + width] = values.T.reshape(
        units, height, width
    )
    # [rows, columns, height, width] -> rows beside heights.
    return (
        tiles.reshape(rows, columns, height + _GAP, width + _GAP)
        .transpose(0, 2, 1, 3)
        .reshape(rows * (height + _GAP), columns * (width + _GAP))
    )


def draw_pixels(
    path: pathlib.Path,
    before: np.ndarray,
    after: np.ndarray,
    image_shape: Sequence[int],
    title: str,
) -> None:
    """Draws how many connections each pixel had before and after training.

    Both heat maps have the same scale.

    Args:
        path: The PNG file to write.
        before: bool `[pixels, units]`, the first layer's mask at the start.
        after: The same at the end.
        image_shape: Height and width of the images.
        title: What the network is.
    """
    counts = [connections_per_pixel(m, image_shape) for m in (before, after)]
    scale = colors.Normalize(0, max(1, *(count.max() for count in counts)))
    drawing = figure.Figure(figsize=(8.6, 4.6), layout="constrained")
    panels = drawing.subplots(1, 2)
    for panel, count, when in zip(
        panels, counts, ("before training", "after training"), strict=True
    ):
        panel.imshow(count, cmap="viridis", norm=scale)
        panel.set_title(
            f"{when}: {np.count_nonzero(count)} of {count.size} pixels in use",
            fontsize=10,
        )
        panel.set_xticks([])
        panel.set_yticks([])
    drawing.colorbar(
        cm.ScalarMappable(scale, "viridis"),
        ax=panels,
        label="connections of the pixel",
        shrink=0.86,
        pad=0.02,
    )
    drawing.suptitle(
        f"{title}: {int(after.sum()):,} connections from {after.shape[0]} "
        f"pixels to {after.shape[1]} hidden units"
    )
    drawing.savefig(path, dpi=_DOTS_PER_INCH)


def draw_units(
    path: pathlib.Path,
    kernel: np.ndarray,
    mask: np.ndarray,
    image_shape: Sequence[int],
    title: str,
) -> None:
    """Draws which pixels each hidden unit is connected to, and how.

    One small image for each unit that has connections, the unit with the most
    of them first.

    Args:
        path: The PNG file to write.
        kernel: float `[pixels, units]`, the first layer's weights.
        mask: bool `[pixels, units]`, its mask.
        image_shape: Height and width of the images.
        title: What the network is.
    """
    connected = int(np.count_nonzero(mask.any(axis=0)))
    shown = order_by_connections(mask)[: max(1, connected)]
    picture, scale = _colour_units(
        kernel[:, shown], mask[:, shown], image_shape
    )
    dots_per_cell = max(1, _GRID_DOTS // picture.shape[1])
    picture = picture.repeat(dots_per_cell, axis=0)
    picture = picture.repeat(dots_per_cell, axis=1)
    height, width = picture.shape[:2]
    page_width = width + 2 * _MARGIN + _BAR_WIDTH
    page_height = height + 2 * _MARGIN + _TITLE_HEIGHT
    drawing = figure.Figure(
        figsize=(page_width / _DOTS_PER_INCH, page_height / _DOTS_PER_INCH),
        dpi=_DOTS_PER_INCH,
    )
    # Dot by dot: axes would resample the picture to fit.
    drawing.figimage(picture, _MARGIN, _MARGIN)
    bar = drawing.add_axes(
        (
            (width + 2 * _MARGIN) / page_width,
            _MARGIN / page_height,
            _MARGIN / page_width,
            height / page_height,
        )
    )
    drawing.colorbar(cm.ScalarMappable(scale, _SIGNS), cax=bar, extend="both")
    bar.set_ylabel("weight of the connection", fontsize=12)
    drawing.text(
        _MARGIN / page_width,
        1 - _MARGIN / page_height,
        f"{title}: the pixels that each hidden unit is connected to\n"
        f"{connected} of {mask.shape[1]} units have connections, "
        "shown from most to fewest",
        verticalalignment="top",
        linespacing=1.4,
        fontsize=14,
    )
    drawing.savefig(path)


def _colour_units(
    kernel: np.ndarray, mask: np.ndarray, image_shape: Sequence[int]
) -> tuple[np.ndarray, colors.Normalize]:
    """Colours the grid: [height, width, 4], and the scale of the colours."""
    weights = np.where(mask, kernel, 0.0)
    active = np.abs(kernel[mask])
    # A few large weights would make all others pale.
    limit = float(np.quantile(active, 0.95)) if active.size else 1.0
    scale = colors.Normalize(-limit or -1.0, limit or 1.0, clip=True)
    picture = _SIGNS(scale(tile_units(weights, image_shape, fill=0.0)))
    connected = tile_units(mask, image_shape, fill=-1.0)
    picture[connected == 0] = colors.to_rgba(_NO_CONNECTION)
    picture[connected < 0] = colors.to_rgba(_PAPER)
    return picture, scale
