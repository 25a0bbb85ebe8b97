import math
from xml.etree import ElementTree

import numpy as np
import pytest

from tf_rigl.experiments.report import charts
from tf_rigl.experiments.report.series import LayerSeries
from tf_rigl.experiments.report.series import Line
from tf_rigl.experiments.report.series import Panel


def texts(svg):
    return [one.text for one in ElementTree.fromstring(svg).iter("text")]


def test_lines_have_their_names_and_the_color_of_the_page():
    x = np.arange(1.0, 5.0)
    lines = [Line("training", x, x / 8), Line("evaluation", x, x / 9)]
    svg = charts.draw_panel(Panel("accuracy", lines, percent=True), "a")
    assert {"accuracy", "training", "evaluation", "epochs"} <= set(texts(svg))
    assert any(text.endswith("%") for text in texts(svg))
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert "http" not in svg
    assert "<style" not in svg


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_an_axis_from_zero(value):
    line = Line("", np.array([1.0, 2.0]), np.full(2, value))
    shown = texts(charts.draw_panel(Panel("t", [line], from_zero=True), "a"))
    numbers = [float(one) for one in shown if one.replace(".", "").isdigit()]
    assert len(numbers) > 4
    assert not any("−" in one for one in shown)


def test_layers_show_their_last_values_and_any_name():
    series = LayerSeries(
        ["<b>", "$x$ & y", "l" * 60],
        np.array([1, 2]),
        np.array([[0.5, 0.25], [0.01, 0.02], [math.nan, math.nan]]),
    )
    shown = texts(charts.draw_layers(series, "density", "density"))
    assert {"<b>", "$x$ & y", "25.00%", "2.00%", "not known"} <= set(shown)
    assert f"…{'l' * 43}" in shown


def test_names_of_parts_differ_between_figures():
    def identifiers(name):
        line = Line("", np.arange(3.0), np.arange(3.0))
        svg = charts.draw_panel(Panel("t", [line]), name)
        root = ElementTree.fromstring(svg)
        return {one.get("id") for one in root.iter() if one.get("id")}

    assert identifiers("a")
    assert identifiers("a") == identifiers("a")
    assert not identifiers("a") & identifiers("b")
