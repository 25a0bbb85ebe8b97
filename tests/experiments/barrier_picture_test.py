"""The plot of error barriers: what matplotlib is given to draw."""

import numpy as np
import pytest

import tf_rigl
from tf_rigl.results import ErrorBarrier

ALPHAS = np.linspace(0, 1, 5)
ONE = ErrorBarrier(ALPHAS, np.array([2.0, 5, 9, 5, 4]))
OTHER = ErrorBarrier(ALPHAS, np.array([2.0, 2, 3, 2, 2]))


def test_lines_and_their_ends(drawn, tmp_path):
    path = tmp_path / "barriers.png"
    tf_rigl.plot_error_barriers({"step 0": ONE, "step 9": OTHER}, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    lines = drawn[0].axes[0].lines
    for line, expected in zip(lines[::2], (ONE, OTHER), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), ALPHAS)
        np.testing.assert_array_equal(line.get_ydata(), expected.errors)
    assert list(lines[1].get_ydata()) == [2, 4]
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.texts] == [
        "step 0: barrier 6",
        "step 9: barrier 1",
    ]


def test_one_barrier(drawn, tmp_path):
    path = tmp_path / "barrier.png"
    tf_rigl.plot_error_barriers(ONE, path)
    (legend,) = drawn[0].legends
    assert legend.texts[0].get_text() == "barrier 6"
    with pytest.raises(ValueError, match="must not exist yet"):
        tf_rigl.plot_error_barriers(OTHER, path)
    tf_rigl.plot_error_barriers(OTHER, path, overwrite=True)
    assert len(drawn) == 2


@pytest.mark.parametrize(
    ("barriers", "error", "message"),
    [
        ({}, ValueError, "There must be a barrier"),
        ({"a": ONE.errors}, TypeError, r"Received: {'a': 'ndarray'}"),
        (ONE.errors, TypeError, "what `error_barrier` returns"),
    ],
)
def test_no_barriers(barriers, error, message, tmp_path):
    with pytest.raises(error, match=message):
        tf_rigl.plot_error_barriers(barriers, tmp_path / "no.png")
    assert not list(tmp_path.iterdir())
