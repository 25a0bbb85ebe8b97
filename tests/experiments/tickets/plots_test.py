import numpy as np
import pytest
from matplotlib import image

from tests.experiments.tickets import tables_test
from tf_rigl.experiments.tickets import plots


def lines_of(fig):
    (ax,) = fig.axes
    return {
        line.get_label(): line.get_xydata()
        for line in ax.lines
        if not line.get_label().startswith("_")
    }


def test_a_line_for_each_kind(tmp_path):
    rows = tables_test.rows_of(tmp_path)
    fig = plots.draw(plots.MEASURES[0], rows, "title")
    lines = lines_of(fig)
    assert list(lines) == ["ticket", "reinit"]
    np.testing.assert_allclose(lines["ticket"], [[100, 92], [80, 95], [64, 90]])
    np.testing.assert_allclose(lines["reinit"], [[64, 82]])

    (ax,) = fig.axes
    assert ax.get_xscale() == "log"
    first, last = ax.get_xlim()
    assert first > 100 > 64 > last  # falls to the right
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == ["100", "80", "64"]
    # The band of the tickets is one standard deviation wide, each way.
    (band,) = ax.collections[0].get_paths()
    low, high = band.vertices[:, 1].min(), band.vertices[:, 1].max()
    assert high == pytest.approx(95 + 100 * 0.02 / 2**0.5)
    assert low == pytest.approx(90)


def test_early_stops_are_steps(tmp_path):
    rows = tables_test.rows_of(tmp_path)
    lines = lines_of(plots.draw(plots.MEASURES[2], rows))
    np.testing.assert_allclose(lines["ticket"], [[100, 8], [80, 4], [64, 6]])


def test_a_panel_for_each_learning_rate(tmp_path):
    rows = tables_test.rows_of(tmp_path)
    # Of the second rate there is no ticket yet.
    others = [row._replace(learning_rate=0.1) for row in rows[-1:]]
    fig = plots.draw(plots.MEASURES[1], [*rows, *others], narrow=True)
    first, second = fig.axes
    assert first.get_title() == "learning rate 0.0012"
    assert second.get_title() == "learning rate 0.1"
    assert first.get_xlim() == second.get_xlim()
    assert first.get_ylim() == second.get_ylim()
    colors = {
        line.get_label(): line.get_color()
        for line in first.lines
        if not line.get_label().startswith("_")
    }
    assert list(colors) == ["ticket", "reinit"]
    (line,) = (one for one in second.lines if one.get_label() == "reinit")
    assert line.get_color() == colors["reinit"]
    (legend,) = fig.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["ticket", "reinit"]


def test_draws_what_there_is(tmp_path):
    """Before there are controls or an early stop, and many levels."""
    first, *_ = tables_test.rows_of(tmp_path)
    lost = first._replace(early_stop=None)
    assert not lines_of(plots.draw(plots.MEASURES[2], [lost]))
    many = [first._replace(level=level, left=0.8**level) for level in range(31)]
    (ax,) = plots.draw(plots.MEASURES[0], many).axes
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert len(labels) == 8
    assert (labels[0], labels[-1]) == ("100", "0.124")
    # Labels of places that are close together would hide each other.
    near = [first._replace(left=left) for left in (1, 0.77, 0.765, 0.33, 0.325)]
    (ax,) = plots.draw(plots.MEASURES[0], near).axes
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels == ["100", "77", "32.5"]


def test_files(tmp_path):
    rows = tables_test.rows_of(tmp_path / "searches")
    folder = tmp_path / "plots"
    folder.mkdir()
    plots.write(folder, rows, "net on data")
    assert sorted(one.name for one in folder.iterdir()) == sorted(
        measure.file for measure in plots.MEASURES
    )
    for path in folder.iterdir():
        assert image.imread(path).std() > 0
