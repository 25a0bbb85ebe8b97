"""A picture of what a file of a model holds.

Figures are made without pyplot, so no window system is asked for and no
global state of matplotlib is touched.
"""

import pathlib

import numpy as np
from matplotlib import axes
from matplotlib import figure

from tf_rigl.experiments.inspection import FileReport
from tf_rigl.experiments.stored_weights import StoredWeight

_DOTS_PER_INCH = 120
_MOST_BARS = 60
_MOST_MASKS = 6
_MASK_SIDE = 256
_KEPT, _LEFT_OUT = "#1f5fa8", "#dddddd"


def draw_file(path: pathlib.Path, report: FileReport) -> None:
    """Draws the density of each weight, its values and its mask.

    On the left a bar for each weight of rank 2 or more, the kept share dark
    (the largest 60); on the right the kept values of all of them, and below
    the masks of the largest, inputs down and units across, averaged where
    there are more than 256.

    Args:
        path: of the PNG file to write, in an existing folder.
        report: of the file.
    """
    weights = [one for one in report.weights if one.array.ndim > 1]
    shown = _largest(weights, _MOST_BARS)
    height = max(5.0, 0.18 * len(shown) + 1.5)
    drawing = figure.Figure(figsize=(13, height), layout="constrained")
    left, right = drawing.subfigures(1, 2, squeeze=False).ravel()
    _draw_densities(left.subplots(), shown)
    top, bottom = right.subfigures(
        2, 1, squeeze=False, height_ratios=(1, 2)
    ).ravel()
    _draw_values(top.subplots(), weights)
    masks = _largest(weights, _MOST_MASKS)
    places = bottom.subplots(2, _MOST_MASKS // 2, squeeze=False).ravel()
    for place, weight in zip(places, masks, strict=False):
        _draw_mask(place, weight)
    for place in places[len(masks) :]:
        place.axis("off")
    share = report.nonzeros / max(report.elements, 1)
    drawing.suptitle(
        f"{pathlib.Path(report.path).name}: {report.file_bytes:,} bytes, "
        f"{share:.2%} of {report.elements:,} elements kept"
    )
    drawing.savefig(path, dpi=_DOTS_PER_INCH)


def _largest(weights: list[StoredWeight], most: int) -> list[StoredWeight]:
    """The largest, in the order of the file."""
    order = sorted(range(len(weights)), key=lambda i: -weights[i].array.size)
    return [weights[place] for place in sorted(order[:most])]


def _draw_densities(place: axes.Axes, weights: list[StoredWeight]) -> None:
    names = [_short(one.path) for one in weights]
    densities = [one.kept.mean() if one.kept.size else 0.0 for one in weights]
    rows = np.arange(len(weights))
    place.barh(rows, 1.0, color=_LEFT_OUT)
    place.barh(rows, densities, color=_KEPT)
    place.set_yticks(rows, names, fontsize=6)
    place.set_xlim(0, 1)
    place.invert_yaxis()
    place.set_xlabel("share of elements that are kept")


def _draw_values(place: axes.Axes, weights: list[StoredWeight]) -> None:
    kept = [one.array[one.kept].astype(np.float64) for one in weights]
    values = np.concatenate(kept) if kept else np.zeros(0)
    values = values[np.isfinite(values)]
    place.hist(values, bins=101, color=_KEPT, log=values.size > 0)
    place.set_xlabel("kept values")
    place.set_ylabel("elements")


def _draw_mask(place: axes.Axes, weight: StoredWeight) -> None:
    mask = weight.kept.reshape(-1, weight.kept.shape[-1]).astype(np.float64)
    inputs, units = mask.shape
    place.imshow(
        _reduced(_reduced(mask, 0), 1),
        cmap="Greys",
        vmin=0,
        aspect="auto",
        interpolation="nearest",
        extent=(0, units, inputs, 0),
    )
    place.set_title(_short(weight.path), fontsize=7)
    place.tick_params(labelsize=6)


def _reduced(image: np.ndarray, axis: int) -> np.ndarray:
    """The means of at most `_MASK_SIDE` parts of an axis."""
    size = image.shape[axis]
    if size <= _MASK_SIDE:
        return image
    begins = np.arange(_MASK_SIDE) * size // _MASK_SIDE
    counts = np.diff(begins, append=size)
    sums = np.add.reduceat(image, begins, axis)
    return sums / np.expand_dims(counts, 1 - axis)


def _short(path: str) -> str:
    return path if len(path) <= 40 else f"…{path[-39:]}"
