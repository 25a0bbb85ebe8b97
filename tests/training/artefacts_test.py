import json

import keras
import numpy as np
import pytest
import tf_keras

import tf_rigl
from tf_rigl.models import mlp
from tf_rigl.training import artefacts


@pytest.fixture(params=[keras, tf_keras], ids=["keras3", "keras2"])
def flavour(request):
    return request.param


def images(count=5):
    return np.random.default_rng(0).integers(
        0, 256, (count, 28, 28), dtype=np.uint8
    )


def test_dense_model_is_written(flavour, tmp_path):
    model = mlp.lenet_300_100(flavour)
    files = artefacts.write_model(model, images(), tmp_path / "new")
    assert files.largest_difference <= artefacts.TOLERANCE
    assert files.checkpoint_bytes > 4 * 266_610
    assert files.saved_model_bytes > 4 * 266_610


def test_sparse_model_is_written_small(flavour, tmp_path):
    model = tf_rigl.sparsify(mlp.lenet_300_100(flavour), sparsity=0.98, seed=0)
    files = artefacts.write_model(model, images(), tmp_path)
    assert files.largest_difference <= artefacts.TOLERANCE
    assert files.saved_model_bytes < 0.1 * 4 * 266_610


def test_sparse_checkpoint_keeps_the_masks(flavour, tmp_path):
    model = tf_rigl.sparsify(mlp.lenet_300_100(flavour), sparsity=0.98, seed=0)
    masks = tf_rigl.masks(model)
    files = artefacts.write_model(model, images(), tmp_path)
    loaded = tf_rigl.masks(flavour.models.load_model(files.checkpoint))
    assert set(loaded) == set(masks)
    for path, mask in masks.items():
        np.testing.assert_array_equal(loaded[path], mask)


def test_export_is_silent(flavour, tmp_path, capsys):
    artefacts.write_model(mlp.lenet_300_100(flavour), images(), tmp_path)
    assert capsys.readouterr().out == ""


def test_json_is_whole_or_not_there(tmp_path):
    path = tmp_path / "results.json"
    artefacts.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        artefacts.write_json(path, {"a": object()})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
