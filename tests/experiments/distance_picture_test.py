"""The heat maps of mask distances: what matplotlib is given to draw."""

import numpy as np
import pytest
from matplotlib import image

import tf_rigl

DISTANCES = np.array([[0, 0.5, 0.25], [0.5, 0, 0.125], [0.25, 0.125, 0]])


def test_panels(drawn, tmp_path):
    path = tmp_path / "distances.png"
    panels = {"30 %": DISTANCES, "50 %": DISTANCES[:2, :2] / 2}
    tf_rigl.plot_mask_distances(panels, path, first_epoch=4)
    assert path.read_bytes().startswith(b"\x89PNG")
    left, right, bar = drawn[0].axes
    assert [left.get_title(), right.get_title()] == ["30 %", "50 %"]
    assert bar.get_ylabel() == "mask distance"
    for ax, (_, array) in zip((left, right), panels.items(), strict=True):
        (shown,) = (a for a in ax.images if isinstance(a, image.AxesImage))
        np.testing.assert_array_equal(shown.get_array(), array)
        assert shown.get_clim() == (0, 0.5)  # one scale for all
    assert left.images[0].get_extent() == [3.5, 6.5, 3.5, 6.5]


def test_one_matrix(drawn, tmp_path):
    path = tmp_path / "distances.png"
    tf_rigl.plot_mask_distances(DISTANCES * 0, path)
    assert drawn[0].axes[0].images[0].get_clim() == (0, 1)
    with pytest.raises(ValueError, match="must not exist yet"):
        tf_rigl.plot_mask_distances(DISTANCES, path)
    tf_rigl.plot_mask_distances(DISTANCES, path, overwrite=True)
    assert drawn[1].axes[0].images[0].get_clim() == (0, 0.5)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_no_title_is_cut_off(drawn, tmp_path, count):
    array = np.random.default_rng(0).random((24, 24))
    panels = {f"{share} %": array for share in range(30, 30 + count)}
    tf_rigl.plot_mask_distances(panels, tmp_path / "distances.png")
    assert len(drawn) == 1  # its borders were checked


@pytest.mark.parametrize(
    "distances", [{}, {"a": DISTANCES[:2]}, DISTANCES[0], np.zeros((0, 0))]
)
def test_no_distances(distances, tmp_path):
    with pytest.raises(ValueError, match=r"each two masks, \[epochs, epochs\]"):
        tf_rigl.plot_mask_distances(distances, tmp_path / "no.png")
    assert not list(tmp_path.iterdir())
