"""Plots of a sweep."""

import pytest
from matplotlib import image

from tests.experiments.sweeps.support import make_records
from tf_rigl.experiments import methods
from tf_rigl.experiments.sweeps import plots
from tf_rigl.experiments.sweeps.records import summarize

DRAW = (plots.draw_against_sparsity, plots.draw_against_flops)


def test_every_method_has_a_style_of_its_own():
    styles = list(map(plots.style_of, methods.METHODS))
    assert len(set(styles)) == len(styles)


@pytest.mark.parametrize("draw", DRAW)
def test_draws_the_same_again_and_the_values(draw, tmp_path):
    values = {"dense": [0.95, 0.97], "rigl": [0.8, 0.9]}
    for name, rigl in (("one", 0.8), ("again", 0.8), ("other", 0.7)):
        summary = summarize(make_records({**values, "rigl": [rigl, 0.9]}))
        draw(tmp_path / f"{name}.png", summary, "title")
    assert len(list(tmp_path.iterdir())) == 3
    one, again, other = (
        (tmp_path / f"{name}.png").read_bytes()
        for name in ("one", "again", "other")
    )
    assert one == again
    assert one != other
    height, width, _ = image.imread(tmp_path / "one.png").shape
    assert height == 720
    assert width > height


@pytest.mark.parametrize("draw", DRAW)
@pytest.mark.parametrize("method", ["dense", "small_dense", "set"])
def test_draws_what_there_is(draw, method, tmp_path):
    summary = summarize(make_records({method: [2.5]}, "bits_per_character"))
    draw(tmp_path / "plot.png", summary, "title")
    assert image.imread(tmp_path / "plot.png").std() > 0
