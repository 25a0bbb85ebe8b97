import numpy as np
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


def test_algorithm_objects_have_styles_of_their_own():
    objects = ["rigl()", "set(drop_fraction=0.1)"]
    names = [*methods.METHODS, *objects]
    styles = [plots.style_of(name, objects) for name in names]
    assert len(set(styles)) == len(styles)

    made = make_records({"rigl": [0.8], "set": [0.9]})
    made[1]["settings"]["method"] = objects[1]
    (ax,) = plots.against_sparsity(summarize(made), "title").axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["SET(drop_fraction=0.1) 90 %", "RigL 90 %"]


def test_one_sparsity_is_rows_of_dots():
    """The best at the top, each at its mean."""
    made = make_records({"dense": [0.95, 0.97], "rigl": [0.8], "set": [0.9]})
    (ax,) = plots.against_sparsity(summarize(made), "title").axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["Dense", "SET 90 %", "RigL 90 %"]
    top, bottom = reversed(ax.get_ylim())
    assert top < 0 < 2 < bottom
    dots = [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in ax.lines
        if line.get_marker() in "*DosvP^X" and line.get_markersize() > 6
    ]
    assert sorted(dots) == [
        pytest.approx(dot) for dot in ((80, 2), (90, 1), (96, 0))
    ]


def test_several_sparsities_are_lines():
    made = make_records({"dense": [0.95], "rigl": [0.9]})
    made += make_records({"rigl": [0.8]}, sparsity=0.95)
    (ax,) = plots.against_sparsity(summarize(made), "title").axes
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["90", "95"]
    assert any(
        np.allclose(line.get_xydata(), [[0.9, 90], [0.95, 80]])
        for line in ax.lines
        if len(line.get_xydata()) == 2
    )


def test_the_lowest_is_at_the_top_if_lower_is_better():
    made = make_records({"rigl": [2.0], "set": [1.5]}, "bits_per_character")
    (ax,) = plots.against_sparsity(summarize(made), "title", narrow=True).axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["SET 90 %", "RigL 90 %"]
    assert ax.get_xlabel() == "bits per character (lower is better)"


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
    assert 300 < height <= 720
    assert width > height


@pytest.mark.parametrize("draw", DRAW)
@pytest.mark.parametrize("method", ["dense", "small_dense", "set"])
def test_draws_what_there_is(draw, method, tmp_path):
    summary = summarize(make_records({method: [2.5]}, "bits_per_character"))
    draw(tmp_path / "plot.png", summary, "title")
    assert image.imread(tmp_path / "plot.png").std() > 0
