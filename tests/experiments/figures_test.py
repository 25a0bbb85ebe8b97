"""Colors of pictures, for all eyes and on light and dark pages."""

import base64
import itertools
from xml.etree import ElementTree

import numpy as np
import pytest

from tf_rigl.experiments import figures

DARK = [figures.ON_DARK.get(color, color) for color in figures.PALETTE]
# How linear RGB looks without one kind of cones: Machado et al., "A
# Physiologically-based Model for Simulation of Color Vision Deficiency", 2009,
# severity 1.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# From linear RGB to OKLab: https://bottosson.github.io/posts/oklab/.
TO_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_LAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def linear(color):
    values = np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    low = values / 12.92
    return np.where(values <= 0.04045, low, ((values + 0.055) / 1.055) ** 2.4)


def seen(color, vision):
    """OKLab of a color, 0 to 100, as it is seen."""
    rgb = np.clip(VISIONS[vision] @ linear(color), 0, 1)
    return 100 * np.array(TO_LAB) @ np.cbrt(TO_LMS @ rgb)


def contrast(color, other):
    """The contrast of WCAG, from 1 to 21."""
    low, high = sorted(
        float([0.2126, 0.7152, 0.0722] @ linear(one)) for one in (color, other)
    )
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("colors", [figures.PALETTE, DARK], ids=["l", "d"])
def test_eight_colors_are_distinct(colors, vision):
    assert len(colors) == 8
    for one, other in itertools.combinations(colors, 2):
        distance = np.linalg.norm(seen(one, vision) - seen(other, vision))
        assert distance > 6, (one, other)


def test_colors_stand_out_from_the_paper():
    paper = figures.PAPER
    assert min(contrast(one, paper) for one in figures.PALETTE) > 2.2
    dark = figures.ON_DARK[paper]
    assert min(contrast(one, dark) for one in DARK) >= 3


def test_styles_differ_by_more_than_color():
    styles = [figures.style_of(index) for index in range(56)]
    assert len(set(styles)) == 56
    first = styles[:8]
    assert len({style.color for style in first}) == 8
    assert len({(style.marker, style.line) for style in first}) == 8


def test_pictures_follow_the_color_scheme_of_the_page():
    fig = figures.new_figure(2, 2)
    ax = fig.subplots()
    figures.apply_style(ax)
    ax.plot([0, 1], color=figures.PALETTE[7])
    _, _, content = figures.svg_uri(fig).partition(",")
    document = base64.b64decode(content).decode()
    ElementTree.fromstring(document)

    # Colors that change are only in the style, as the values of variables.
    style, _, rest = document.partition("</style>")
    for light, dark in figures.ON_DARK.items():
        name = f"--c{light[1:]}"
        assert f"{name}:{light};" in style
        assert f"{name}:{dark};" in style.partition("dark")[2]
        assert light not in rest
        assert f"var({name})" in rest
