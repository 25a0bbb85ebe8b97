import base64
import math

import numpy as np
import pytest

from tests.experiments.report.support import texts
from tf_rigl.experiments.report import pictures
from tf_rigl.experiments.report.reading import WeightMask
from tf_rigl.experiments.report.series import LayerSeries
from tf_rigl.experiments.report.series import Line
from tf_rigl.experiments.report.series import Panel


def shown(picture):
    start, _, content = picture.source.partition(",")
    assert start == "data:image/svg+xml;base64"
    return texts(base64.b64decode(content))


def test_lines_have_their_names_and_are_told():
    x = np.arange(1.0, 5.0)
    lines = [Line("training", x, x / 8), Line("evaluation", x, x / 9)]
    panel = Panel("accuracy", lines, percent=True)
    picture = pictures.draw_panel(panel)
    found = shown(picture)
    assert {"accuracy", "training", "evaluation", "epochs"} <= found
    assert any(text.endswith("%") for text in found)
    expected = "accuracy over epochs, at the end: training 0.5, evaluation 0."
    assert picture.description.startswith(expected)
    assert pictures.draw_panel(panel) == picture


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_an_axis_from_zero(value):
    line = Line("", np.array([1.0, 2.0]), np.full(2, value))
    found = shown(pictures.draw_panel(Panel("t", [line], from_zero=True)))
    numbers = [float(one) for one in found if one.replace(".", "").isdigit()]
    assert len(numbers) > 4
    assert not any("−" in one for one in found)


def test_layers_show_their_last_values_and_any_name():
    series = LayerSeries(
        ["<b>", "$x$ & y", "l" * 60],
        np.array([1, 2]),
        np.array([[0.5, 0.25], [0.01, 0.02], [math.nan, math.nan]]),
    )
    found = shown(pictures.draw_layers(series, "density"))
    assert {"<b>", "$x$ & y", "25.00%", "2.00%", "not known"} <= found
    assert f"…{'l' * 43}" in found


def test_a_single_epoch_is_marked_by_its_number():
    one = np.array([1.0])
    found = shown(pictures.draw_panel(Panel("loss", [Line("", one, one / 8)])))
    # The values of the vertical axis are near 0.125.
    assert {"1", "epochs"} <= found
    assert not {"0.945", "1.005", "1.050"} & found
    series = LayerSeries(["a"], np.array([1]), np.array([[0.5]]))
    found = shown(pictures.draw_layers(series, "density"))
    assert "1" in found
    assert not {"0.5", "1.5"} & found


def test_a_dense_run_has_a_style_of_its_own():
    x = np.arange(1.0, 5.0)
    labels = [
        f"{run}{data}"
        for run in ("", "dense, ")
        for data in ("training", "evaluation")
    ]
    lines = [Line(label, x, x * place) for place, label in enumerate(labels)]
    found = shown(pictures.draw_panel(Panel("loss", lines)))
    assert set(labels) <= found
    assert set(labels) == pictures.STYLES.keys()
    assert len(set(pictures.STYLES.values())) == len(labels)


def test_columns_are_as_wide_as_their_updates():
    """Two updates of one epoch take the place of two."""
    series = LayerSeries(
        ["a"], np.array([1, 5]), np.array([[0.5, 0.25]]), "mask update"
    )
    found = shown(pictures.draw_layers(series, "churn"))
    assert {"mask update", "churn", "25.00%", "1", "5"} <= found


def test_scales_of_channels_are_a_histogram():
    now = np.array([True, False, True, True]).reshape(1, 1, 4)
    scales = np.array([0.5, 0.25, 1.0])
    (picture,) = pictures.draw_masks([WeightMask("γ", now, None, scales)])
    assert {"|γ| of the channels left", "channels"} <= shown(picture)
    assert picture.caption == "γ: 3 of 4 channels left, |γ| from 0.25 to 1"
