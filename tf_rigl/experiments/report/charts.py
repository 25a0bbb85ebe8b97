"""Charts of a run: SVG within the page."""

import numpy as np
from matplotlib import colors
from matplotlib import ticker

from tf_rigl.experiments.report import svg
from tf_rigl.experiments.report.series import LayerSeries
from tf_rigl.experiments.report.series import Panel

# Told apart on dark and on light, and in grey.
_COLOURS = ("#3f87d9", "#e07b28")
# Where two lines are the same, both are seen.
_DASHES = ("solid", (0, (3, 1.5)))
_COLOUR_MAP = "viridis"
_LEGIBLE = 40  # rows, above which they become narrower
_MOST_CHARACTERS = 44
# Above this ratio most layers would look alike on a linear scale.
_LOGARITHMIC_FROM = 5.0


def draw_panel(panel: Panel, name: str) -> str:
    """Draws lines over epochs.

    Args:
        panel: The chart.
        name: Unique on the page.

    Returns:
        An SVG element.
    """
    drawing = svg.new_figure(3.9, 2.6)
    place = drawing.subplots()
    svg.style(place, panel.title)
    for line, color, dashes in zip(
        panel.lines, _COLOURS, _DASHES, strict=False
    ):
        # A single point would be no line.
        marker = "o" if len(line.x) <= 30 else None
        place.plot(
            line.x,
            line.y,
            color=color,
            label=line.label,
            linestyle=dashes,
            marker=marker,
            markersize=3.5,
            linewidth=1.6,
        )
    if panel.from_zero:
        most = max(float(line.y.max()) for line in panel.lines)
        place.set_ylim(0, 1.08 * most or 1.0)
    if panel.percent:
        place.yaxis.set_major_formatter(ticker.PercentFormatter(1.0))
    if panel.whole:
        place.yaxis.set_major_locator(ticker.MaxNLocator(8, integer=True))
    place.xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True))
    place.set_xlabel("epochs")
    if any(line.label for line in panel.lines):
        place.legend(fontsize=8, frameon=False, labelcolor=svg.INK, loc="best")
    return svg.to_svg(drawing, name, panel.title)


def draw_layers(series: LayerSeries, name: str, label: str) -> str:
    """Draws a share of each layer over epochs as a heat map.

    Beside each row is its last value. The scale is logarithmic where the
    values differ by much.

    Args:
        series: Shares in [0, 1], or NaN.
        name: Unique on the page.
        label: What the colors stand for.

    Returns:
        An SVG element.
    """
    rows, _ = series.values.shape
    row_height, font = (0.24, 8) if rows <= _LEGIBLE else (0.13, 6)
    drawing = svg.new_figure(9.2, row_height * rows + 1.0)
    place = drawing.subplots()
    svg.style(place, grid=False)
    shown = place.imshow(
        series.values,
        cmap=_COLOUR_MAP,
        norm=_scale(series.values),
        aspect="auto",
        interpolation="none",
        extent=(
            series.epochs[0] - 0.5,
            series.epochs[-1] + 0.5,
            rows - 0.5,
            -0.5,
        ),
    )
    names = [_short(path) for path in series.paths]
    place.set_yticks(range(rows), names, parse_math=False)
    place.tick_params(axis="y", labelsize=font)
    place.xaxis.set_major_locator(ticker.MaxNLocator(12, integer=True))
    place.set_xlabel("epoch")
    for row, value in enumerate(series.values[:, -1]):
        place.annotate(
            _percent(value),
            (1.0, row),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=font,
            color=svg.INK,
        )
    bar = drawing.colorbar(
        shown, ax=place, format=ticker.PercentFormatter(1.0), aspect=30
    )
    svg.style(bar.ax, grid=False)
    bar.outline.set_alpha(0.4)
    bar.ax.yaxis.set_minor_formatter(ticker.NullFormatter())
    bar.set_label(label)
    return svg.to_svg(drawing, name, f"{label} of each layer")


def _scale(values: np.ndarray) -> colors.Normalize:
    known = values[np.isfinite(values)]
    largest = float(known.max(initial=0.0)) or 1.0
    smallest = float(known.min(initial=largest))
    if smallest > 0 and largest / smallest >= _LOGARITHMIC_FROM:
        return colors.LogNorm(smallest, largest)
    return colors.Normalize(0.0, largest)


def _percent(value: float) -> str:
    return f"{value:.2%}" if np.isfinite(value) else "not known"


def _short(path: str) -> str:
    if len(path) <= _MOST_CHARACTERS:
        return path
    return f"…{path[1 - _MOST_CHARACTERS :]}"
