"""Figures of matplotlib as SVG that is a part of an HTML page.

Text and axes have the color of the page's text, so that they can be read on
dark and on light.
"""

import html
import io
import re
from typing import Any

import matplotlib
from matplotlib import figure

# Nothing else is drawn in it; the page's color takes its place.
INK = "#010203"
_FONT_SIZE = 9
_GRID = {"color": INK, "alpha": 0.15, "linewidth": 0.6}

_BEFORE = re.compile(r".*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
# Its rules would be those of the whole page; the page has them for figures.
_RULES = re.compile(r"<style.*?</style>", re.DOTALL)
_NAMESPACE = re.compile(r' (?:xmlns(?::\w+)?|version)="[^"]*"')
_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*"')
_HEIGHT = re.compile(r'(<svg[^>]*?) height="[^"]*"')
_REFERENCE = re.compile(r"""(?:href="|url\()#([^")]+)""")
_IDENTIFIER = re.compile(r' id="([^"]*)"')


def new_figure(width: float, height: float) -> Any:
    """An empty figure without pyplot, which would ask for a window system.

    Args:
        width: In inches, at a font size of 9 points.
        height: Likewise.
    """
    return figure.Figure(figsize=(width, height), layout="constrained")


def style(place: Any, title: str = "", grid: bool = True) -> None:
    """Gives axes the look of the page."""
    place.set_facecolor("none")
    for spine in place.spines.values():
        spine.set_edgecolor(INK)
        spine.set_alpha(0.4)
    place.tick_params(colors=INK, labelsize=_FONT_SIZE - 1)
    for label in (place.xaxis.label, place.yaxis.label):
        label.set_color(INK)
        label.set_fontsize(_FONT_SIZE - 1)
    if title:
        place.set_title(title, color=INK, fontsize=_FONT_SIZE + 1, loc="left")
    if grid:
        place.grid(**_GRID)
        place.set_axisbelow(True)


def to_svg(drawing: Any, name: str, description: str) -> str:
    """Writes a figure as an SVG element.

    Args:
        drawing: The figure.
        name: Unique on the page: parts of figures must not share names.
        description: What it shows, for those who can't see it.
    """
    drawing.patch.set_alpha(0)
    text = io.StringIO()
    # Text stays text; names depend on nothing but `name`.
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": f"tf_rigl {name}"}
    ):
        drawing.savefig(text, format="svg")
    label = f'<svg role="img" aria-label="{html.escape(description)}"'
    return _embedded(text.getvalue()).replace("<svg", label, 1)


def _embedded(document: str) -> str:
    """The element without what only a document of its own needs."""
    element = _BEFORE.sub("", document, count=1)
    element = _METADATA.sub("", element)
    element = _RULES.sub("", element)
    element = _NAMESPACE.sub("", element)
    element = _HEIGHT.sub(r"\1", _SIZE.sub(r"\1", element))
    element = element.replace("xlink:href", "href")
    used = set(_REFERENCE.findall(element))
    element = _IDENTIFIER.sub(
        lambda found: found.group(0) if found.group(1) in used else "", element
    )
    return element.replace(INK, "currentColor")
