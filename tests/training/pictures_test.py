import numpy as np
import pytest
from matplotlib import image

from tf_rigl.training import pictures

# Pixels of a 2 x 2 image by three units.
MASK = np.array(
    [
        [True, False, True],
        [False, False, True],
        [False, False, True],
        [False, False, False],
    ]
)


def test_connections_per_pixel():
    counts = pictures.connections_per_pixel(MASK, (2, 2))
    assert counts.tolist() == [[2, 1], [1, 0]]


def test_order_by_connections():
    assert pictures.order_by_connections(MASK).tolist() == [2, 0, 1]


def test_order_breaks_ties_by_index():
    mask = np.ones((4, 5), bool)
    assert pictures.order_by_connections(mask).tolist() == [0, 1, 2, 3, 4]


def test_tile_units():
    values = np.array([[1, 5], [2, 6], [3, 7], [4, 8]])
    # Units side by side, one cell of gap around each.
    assert pictures.tile_units(values, (2, 2), fill=0).tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 2, 0, 0, 5, 6, 0],
        [0, 3, 4, 0, 0, 7, 8, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]


def test_tile_units_fills_the_last_row():
    # Five units in rows of three.
    grid = pictures.tile_units(np.ones((4, 5)), (2, 2), fill=-1)
    assert grid.shape == (2 * 4, 3 * 4)
    assert (grid == 1).sum() == 5 * 4


def random_masks(connections):
    random = np.random.default_rng(0)
    masks = []
    for _ in range(2):
        flat = np.zeros(784 * 30, bool)
        flat[random.choice(flat.size, connections, replace=False)] = True
        masks.append(flat.reshape(784, 30))
    return masks


@pytest.mark.parametrize("connections", [0, 1, 500])
def test_drawings_are_png(tmp_path, connections):
    before, after = random_masks(connections)
    kernel = np.where(after, np.random.default_rng(1).normal(size=(784, 30)), 0)
    pixels, units = tmp_path / "pixels.png", tmp_path / "units.png"
    pictures.draw_pixels(pixels, before, after, (28, 28), "a title")
    pictures.draw_units(units, kernel, after, (28, 28), "a title")
    for path in (pixels, units):
        drawn = image.imread(path)
        assert min(drawn.shape[:2]) > 100


def test_each_connection_of_a_unit_is_drawn(tmp_path):
    _, mask = random_masks(500)
    path = tmp_path / "units.png"
    pictures.draw_units(path, 1.0 * mask, mask, (28, 28), "")
    drawn = image.imread(path)[..., :3]
    colour = pictures._SIGNS(1.0)[:3]
    dots = np.isclose(drawn, colour, atol=1 / 255).all(axis=-1)
    # 30 units are in rows of seven; to the right, the colour bar has that
    # colour too.
    dots_per_cell = pictures._GRID_DOTS // (7 * 30)
    grid = dots[:, : pictures._MARGIN + 7 * 30 * dots_per_cell]
    assert grid.sum() == 500 * dots_per_cell**2


def test_units_without_connections_are_left_out(tmp_path):
    _, mask = random_masks(500)
    mask[:, 1:] = False
    path = tmp_path / "units.png"
    pictures.draw_units(path, 1.0 * mask, mask, (28, 28), "")
    grid_height = image.imread(path).shape[0] - pictures._TITLE_HEIGHT
    assert grid_height - 2 * pictures._MARGIN == pictures._GRID_DOTS
