import importlib
import math

import numpy as np
import pytest
from matplotlib import image

import tf_rigl
from tf_rigl.experiments import inspection
from tf_rigl.experiments import weight_pictures
from tf_rigl.experiments.inspection import read_stored_weights
from tf_rigl.models import mlp


def weight(path, array, encoding="dense"):
    array = np.asarray(array, np.float32)
    return inspection.StoredWeight(
        path, array, array != 0, encoding, array.nbytes
    )


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
    assert first.split()[-3:] == ["1", "75.00%", "16"]
    assert second.split()[-3:] == ["2", "0.00%", "8"]
    assert total.split() == ["all", "3", "50.00%", "24"]
    assert last == "some/model: 6 elements, 1,234 bytes in all"


def test_table_fits_eighty_columns():
    text = str(
        report(
            weight("stage_4/block_12/depthwise_conv/kernel", np.ones((3, 512))),
            weight("w" * 90, np.ones((1, 1, 1000, 200)), "bitmap, float16"),
        )
    )
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert "200,000" in text
    assert "w" * 90 in "".join(line.split(" ")[0] for line in lines)


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


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def model(request):
    keras = importlib.import_module(request.param)
    return tf_rigl.sparsify(mlp.lenet_300_100(keras, (8, 8)), 0.9)


def arrays(found):
    return {one.path: one.array for one in found}


def check(found, model):
    masks = tf_rigl.masks(model)
    weights = arrays(found)
    for layer in ("fc1", "fc2", "logits"):
        kernel = model.get_layer(layer).get_weights()[0]
        (path,) = [one for one in weights if one.endswith(f"{layer}/kernel")]
        np.testing.assert_array_equal(weights[path], kernel)
        (one,) = [one for one in found if one.path == path]
        np.testing.assert_array_equal(one.kept, masks[f"{layer}/kernel"])


def test_packed_saved_model(model, tmp_path):
    report = tf_rigl.export_saved_model(model, tmp_path / "m")
    found = read_stored_weights(tmp_path / "m")
    check(found, model)
    assert [one.bytes for one in found] == [row.bytes for row in report.rows]


@pytest.mark.parametrize("by", ["ours", "keras"])
def test_plain_saved_model(model, by, tmp_path):
    if by == "ours":
        tf_rigl.export_saved_model(model, tmp_path / "m", None)
    else:
        model.export(str(tmp_path / "m"))
    found = read_stored_weights(tmp_path / "m")
    check(found, model)
    assert len(found) == len(arrays(found))


def test_keras_file(model, tmp_path):
    model.save(tmp_path / "m.keras")
    found = read_stored_weights(tmp_path / "m.keras")
    check(found, model)
    assert {one.encoding for one in found} == {"masked", "dense"}


def test_litert_file(model, tmp_path):
    report = tf_rigl.export_litert(model, tmp_path / "m.tflite")
    found = read_stored_weights(tmp_path / "m.tflite")
    kernels = [one for one in found if one.array.ndim == 2]
    assert sum(one.bytes for one in kernels) == report.bytes
    masks = sorted(mask.sum() for mask in tf_rigl.masks(model).values())
    assert sorted(one.kept.sum() for one in kernels) == masks
    stored = {one.array.shape: one.array for one in kernels}
    first = model.get_layer("fc1").get_weights()[0]
    np.testing.assert_array_equal(stored[first.T.shape], first.T)


@pytest.mark.parametrize("name", ["nothing", "some.txt", "some.keras"])
def test_no_model(name, tmp_path):
    (tmp_path / "some.txt").write_text("text")
    (tmp_path / "some.keras").write_text("text")
    with pytest.raises(ValueError, match=r"must be .* Received: path="):
        read_stored_weights(tmp_path / name)
