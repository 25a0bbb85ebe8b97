"""Pictures of masks: PNG files within the page."""

import io

import numpy as np
from matplotlib import image

from tf_rigl.core.diagnostics import density_image
from tf_rigl.experiments.report import markup
from tf_rigl.experiments.report.model_state import ModelState
from tf_rigl.experiments.report.model_state import WeightMask

MOST_MASKS = 24
_SIDE = 128
_COLOUR_MAP = "viridis"


def draw_masks(masks: list[WeightMask]) -> list[str]:
    """Draws masks, the largest where there are too many.

    Inputs are from top to bottom and units from left to right; a dot is the
    density of the connections that it stands for.

    Args:
        masks: In the order of the layers.

    Returns:
        HTML figures, for each mask one now and, where that is known and was
        not all ones, one of the start before it.
    """
    return [
        shown for mask in largest(masks, MOST_MASKS) for shown in _draw(mask)
    ]


def largest(masks: list[WeightMask], most: int) -> list[WeightMask]:
    """The largest ones, in the order of the layers."""
    order = sorted(range(len(masks)), key=lambda i: -masks[i].now.size)
    return [masks[place] for place in sorted(order[:most])]


def draw_pixels(state: ModelState) -> list[str]:
    """Draws how many connections each pixel of the images has.

    Returns:
        HTML figures, at the start if that is known and now; none where the
        first masked layer reads no images.
    """
    if state.image_shape is None:
        return []
    height, width = state.image_shape
    counts = [
        (
            when,
            # With colors, those of a pixel are counted together.
            mask.reshape(height, width, -1).sum(axis=-1, dtype=np.int64),
        )
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


def _draw(mask: WeightMask) -> list[str]:
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
    """Start, unless it is not known or tells nothing, and now."""
    found = [("now", mask.now)]
    if mask.start is not None and not mask.start.all():
        found.insert(0, ("at the start", mask.start))
    return found


def _picture(values: np.ndarray, most: float, caption: str) -> str:
    content = io.BytesIO()
    image.imsave(
        content, values, cmap=_COLOUR_MAP, vmin=0, vmax=most, format="png"
    )
    return markup.figure(markup.picture(content.getvalue(), caption), caption)
