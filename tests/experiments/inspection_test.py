import math

import numpy as np
from matplotlib import image

from tf_rigl.experiments import inspection
from tf_rigl.experiments import weight_pictures
from tf_rigl.experiments.stored_weights import StoredWeight


def weight(path, array, encoding="dense"):
    array = np.asarray(array, np.float32)
    return StoredWeight(path, array, array != 0, encoding, array.nbytes)


def report(*weights):
    return inspection.FileReport("some/model", weights, 1_234)


def test_histogram_is_symmetric_and_leaves_zeros_out():
    one = weight("w", [[-2.0, 0.0, 0.0], [0.0, 0.9, 1.0]])
    np.testing.assert_array_equal(inspection.histogram(one, 4), [1, 0, 1, 1])


def test_histogram_of_nothing_and_of_no_numbers():
    assert not inspection.histogram(weight("w", np.zeros((2, 3)))).any()
    odd = weight("w", [math.nan, math.inf, 1.0])
    assert inspection.histogram(odd).sum() == 1


def test_sparkline():
    assert inspection.sparkline(np.array([0, 1, 50, 100])) == " ▁▄█"
    assert inspection.sparkline(np.zeros(3, int)) == "   "


def test_table():
    text = str(
        report(
            weight("fc/kernel", [[1.0, 0.0], [0.0, 0.0]], "gaps"),
            weight("fc/bias", [1.0, 2.0]),
            weight("empty", np.zeros((0, 3))),
        )
    )
    first, second, *_, total, last = text.splitlines()[2:]
    assert first.split()[:4] == ["fc/kernel", "2×2", "float32", "gaps"]
    assert first.split()[-4:] == ["4", "1", "75.00%", "16"]
    assert second.split()[-4:] == ["2", "2", "0.00%", "8"]
    assert total.split() == ["all", "6", "3", "50.00%", "24"]
    assert last == "some/model: 1,234 bytes in all"


def test_picture(tmp_path):
    random = np.random.default_rng(0)
    weights = [
        weight(f"layer_{place}/kernel", random.normal(size=(300, 20)))
        for place in range(70)
    ]
    path = tmp_path / "picture.png"
    weight_pictures.draw_file(path, report(*weights, weight("b", [1.0])))
    assert image.imread(path).std() > 0.01
    weight_pictures.draw_file(path, report(weight("b", [1.0])))
    assert image.imread(path).std() > 0.001
