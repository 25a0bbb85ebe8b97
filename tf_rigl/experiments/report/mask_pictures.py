"""Pictures of masks, which are a part of the page."""

import io

import numpy as np
from matplotlib import image

from tf_rigl.core.diagnostics import density_image
from tf_rigl.experiments import figures
from tf_rigl.experiments.report.charts import COLOR_MAP
from tf_rigl.experiments.report.charts import Picture
from tf_rigl.experiments.report.model_state import ModelState
from tf_rigl.experiments.report.model_state import WeightMask

MOST_MASKS = 24
_SIDE = 128


def draw_masks(masks: list[WeightMask]) -> list[Picture]:
    """Draws masks, the largest if there are too many.

    Inputs are from top to bottom and units from left to right; a dot is the
    density of the connections that it stands for.

    Returns:
        For each mask a picture of it now and, if that is known and was not
        all ones, one of the start before it.
    """
    sizes = [mask.now.size for mask in masks]
    return [
        picture
        for mask in figures.largest(masks, sizes, MOST_MASKS)
        for picture in _draw(mask)
    ]


def draw_pixels(state: ModelState) -> list[Picture]:
    """Draws how many connections each pixel of the images has.

    Returns:
        Pictures at the start, if that is known, and now; none if the first
        masked layer reads no images.
    """
    if state.image_shape is None:
        return []

    # With colors, the connections of a pixel are counted together.
    height, width = state.image_shape
    counts = [
        (when, mask.reshape(height, width, -1).sum(axis=-1, dtype=np.int64))
        for when, mask in _moments(state.masks[0])
    ]
    most = max(1, *(int(count.max()) for _, count in counts))
    return [
        _picture(
            count,
            most,
            f"{when}: {np.count_nonzero(count):,} of {count.size:,} pixels in "
            f"use, at most {int(count.max()):,} connections",
        )
        for when, count in counts
    ]


def _draw(mask: WeightMask) -> list[Picture]:
    drawn = [
        (when, density_image(shown, _SIDE)) for when, shown in _moments(mask)
    ]
    most = max(float(density.max()) for _, density in drawn) or 1.0

    positions, inputs, units = mask.now.shape
    shape = f"{inputs:,} inputs × {units:,} units"
    if positions > 1:
        shape += f" × {positions} positions"

    return [
        _picture(
            density,
            most,
            f"{mask.path}, {when}: {shape}, density of a dot up to "
            f"{float(density.max()):.0%}",
        )
        for when, density in drawn
    ]


def _moments(mask: WeightMask) -> list[tuple[str, np.ndarray]]:
    """Returns start, unless it is not known or all ones, and now."""
    found = [("now", mask.now)]
    if mask.start is not None and not mask.start.all():
        found.insert(0, ("at the start", mask.start))
    return found


def _picture(values: np.ndarray, most: float, caption: str) -> Picture:
    content = io.BytesIO()
    image.imsave(
        content, values, cmap=COLOR_MAP, vmin=0, vmax=most, format="png"
    )
    uri = figures.data_uri("image/png", content.getvalue())
    return Picture(uri, caption, caption)
