"""Charts of a run and pictures of its masks, embedded in the page."""

import io
from typing import Any
from typing import NamedTuple

import numpy as np
from matplotlib import axes
from matplotlib import colors
from matplotlib import image
from matplotlib import ticker

from tf_rigl.core.diagnostics import density_image
from tf_rigl.experiments import figures
from tf_rigl.experiments.figures import Style
from tf_rigl.experiments.report.reading import ModelState
from tf_rigl.experiments.report.reading import WeightMask
from tf_rigl.experiments.report.series import LayerSeries
from tf_rigl.experiments.report.series import Panel

_INK = figures.INK
# Evaluations are solid and training is dashed, so that all are visible where
# they coincide; a run and the dense one have their colors, also in gray.
STYLES = {
    "training": Style(figures.PALETTE[6], "o", "--"),
    "evaluation": Style(figures.PALETTE[2], "o", "-"),
    "dense, training": Style(figures.PALETTE[5], "s", "--"),
    "dense, evaluation": Style(figures.PALETTE[1], "s", "-"),
}
_FONT_SIZE = 9

_COLOR_MAP = "viridis"
_LEGIBLE = 40  # with more rows than this, rows become narrower
_MOST_CHARACTERS = 44
# From this ratio of the largest value to the smallest, a linear scale would
# show most layers in the same color.
_LOGARITHMIC_FROM = 5.0

MOST_MASKS = 24
_SIDE = 128  # the longest side of a picture of a mask, in pixels


class Picture(NamedTuple):
    """A picture embedded in the page."""

    source: str  # a `data:` URI
    description: str  # the text for screen readers
    caption: str = ""


def draw_panel(panel: Panel) -> Picture:
    """Draws the lines of a panel over epochs or mask updates."""
    labels = any(line.label for line in panel.lines)
    rows = (len(panel.lines) + 1) // 2 if labels else 0
    fig = figures.new_figure(3.9, 2.5 + 0.2 * rows)
    ax = fig.subplots()
    _style(ax)
    ax.set_title(panel.title, color=_INK, fontsize=_FONT_SIZE + 1, loc="left")
    ax.grid(color=_INK, alpha=0.15, linewidth=0.6)
    ax.set_axisbelow(True)

    for index, line in enumerate(panel.lines):
        style = STYLES.get(line.label) or figures.style_of(index + 2)._replace(
            line="--" if index else "-"
        )
        ax.plot(
            line.x,
            line.y,
            color=style.color,
            label=line.label,
            linestyle=style.line,
            # A line of a single point would be invisible without a marker.
            marker=style.marker if len(line.x) <= 30 else None,
            markersize=3.5,
            linewidth=1.6,
        )

    if panel.from_zero:
        most = max(float(line.y.max()) for line in panel.lines)
        ax.set_ylim(0, 1.08 * most or 1.0)
    if panel.percent:
        ax.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
    if panel.whole:
        ax.yaxis.set_major_locator(ticker.MaxNLocator(8, integer=True))
    if all(len(line.x) == 1 for line in panel.lines):
        # Around a single point, matplotlib would show a twentieth of an epoch.
        ax.set_xlim(ax.dataLim.x0 - 1, ax.dataLim.x1 + 1)
    ax.xaxis.set_major_locator(_whole_numbers(8))
    ax.set_xlabel(panel.axis)
    if labels:
        # Below the axes, where it covers no line.
        fig.legend(
            fontsize=8,
            frameon=False,
            labelcolor=_INK,
            loc="outside lower center",
            ncols=2,
        )

    ends = [f"{line.label} {line.y[-1]:.4g}".strip() for line in panel.lines]
    text = f"{panel.title} over {panel.axis}, at the end: {', '.join(ends)}"
    return Picture(figures.svg_uri(fig), text)


def draw_layers(series: LayerSeries, name: str) -> Picture:
    """Draws a heat map of a rate of each layer over epochs or mask updates.

    The values are in [0, 1], or NaN if not known. The last value is written
    beside each row. `name` labels the color scale, which is logarithmic if the
    values differ by a large factor.
    """
    rows, _ = series.values.shape
    row_height, font = (0.24, 8) if rows <= _LEGIBLE else (0.13, 6)
    fig = figures.new_figure(9.2, row_height * rows + 1.0)
    ax = fig.subplots()
    _style(ax)
    shown = ax.pcolormesh(
        # A column is as wide as the number of epochs or updates in it.
        np.concatenate([[0], series.ends]) + 0.5,
        np.arange(rows + 1) - 0.5,
        series.values,
        cmap=_COLOR_MAP,
        norm=_scale(series.values),
        rasterized=True,
    )
    ax.invert_yaxis()

    names = [figures.short(path, _MOST_CHARACTERS) for path in series.paths]
    ax.set_yticks(range(rows), names, parse_math=False)
    ax.tick_params(axis="y", labelsize=font)
    ax.xaxis.set_major_locator(_whole_numbers(12))
    ax.set_xlabel(series.axis)
    for row, value in enumerate(series.values[:, -1]):
        ax.annotate(
            f"{value:.2%}" if np.isfinite(value) else "not known",
            (1.0, row),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=font,
            color=_INK,
        )

    _add_scale(fig, ax, shown, name)
    return Picture(figures.svg_uri(fig), f"{name} of each layer")


def draw_masks(masks: list[WeightMask]) -> list[Picture]:
    """Draws masks, only the largest ones if there are too many.

    Inputs are from top to bottom and units from left to right. A pixel shows
    the density of its connections.

    Returns:
        For each mask, a picture of its start, unless that is not known or was
        dense, and one of its current state; of scales of channels, the
        histogram of their magnitudes.
    """
    sizes = [mask.now.size for mask in masks]
    return [
        picture
        for mask in figures.largest(masks, sizes, MOST_MASKS)
        for picture in (
            _draw(mask) if mask.scales is None else [_draw_scales(mask)]
        )
    ]


def draw_pixels(state: ModelState) -> list[Picture]:
    """Draws the number of active connections of each pixel of the images.

    Returns:
        Pictures of the start, if known, and of the current state; none if the
        first masked layer does not read images.
    """
    if state.image_shape is None:
        return []

    # Connections of all color channels of a pixel are added up.
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


def _style(ax: axes.Axes) -> None:
    figures.apply_style(ax)
    ax.tick_params(labelsize=_FONT_SIZE - 1)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_fontsize(_FONT_SIZE - 1)


def _whole_numbers(most: int) -> ticker.Locator:
    """Makes ticks at whole numbers only, even if there is only one."""
    return ticker.MaxNLocator(most, integer=True, min_n_ticks=1)


def _add_scale(fig: Any, ax: axes.Axes, shown: Any, name: str) -> None:
    bar = fig.colorbar(
        shown, ax=ax, format=ticker.PercentFormatter(1.0), aspect=30
    )
    _style(bar.ax)
    bar.outline.set_alpha(0.4)
    bar.ax.yaxis.set_minor_formatter(ticker.NullFormatter())
    bar.set_label(name)


def _scale(values: np.ndarray) -> colors.Normalize:
    known = values[np.isfinite(values)]
    largest = float(known.max(initial=0.0)) or 1.0
    smallest = float(known.min(initial=largest))
    if smallest > 0 and largest / smallest >= _LOGARITHMIC_FROM:
        return colors.LogNorm(smallest, largest)
    return colors.Normalize(0.0, largest)


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


def _draw_scales(mask: WeightMask) -> Picture:
    """Draws how large the scales of the channels left are."""
    scales = np.zeros(0) if mask.scales is None else mask.scales
    fig = figures.new_figure(3.9, 2.5)
    ax = fig.subplots()
    _style(ax)
    ax.hist(scales, bins=31, color=figures.ACTIVE)
    ax.set_xlim(left=0)
    ax.set_xlabel("|γ| of the channels left")
    ax.set_ylabel("channels")
    ax.yaxis.set_major_locator(_whole_numbers(6))
    caption = (
        f"{mask.path}: {scales.size:,} of {mask.now.size:,} channels left, "
        f"|γ| from {scales.min(initial=np.inf):.3g} to "
        f"{scales.max(initial=0):.3g}"
    )
    return Picture(figures.svg_uri(fig), caption, caption)


def _moments(mask: WeightMask) -> list[tuple[str, np.ndarray]]:
    """Lists the masks to show: the start, if known and not dense, and now."""
    found = [("now", mask.now)]
    if mask.start is not None and not mask.start.all():
        found.insert(0, ("at the start", mask.start))
    return found


def _picture(values: np.ndarray, most: float, caption: str) -> Picture:
    content = io.BytesIO()
    image.imsave(
        content, values, cmap=_COLOR_MAP, vmin=0, vmax=most, format="png"
    )
    uri = figures.data_uri("image/png", content.getvalue())
    return Picture(uri, caption, caption)
