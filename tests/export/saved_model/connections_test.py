"""Artifacts of models that list their connections: those of masked storage."""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl.masking import compressed_layer
from tf_rigl.masking.connections import Connections
from tf_rigl.masking.masked_weight import masked_weights


def build(keras, storage, sparsity=0.8):
    model = support.make_mlp(keras, units=(40,), outputs=30)
    return tf_rigl.sparsify(model, sparsity, "uniform", storage=storage)


@pytest.fixture
def no_dense_kernels(monkeypatch):
    """Fails where dense kernels or masks are made of connections."""

    def refuse(*arguments):
        raise AssertionError("A dense tensor was made.")

    monkeypatch.setattr(Connections, "dense", refuse)
    monkeypatch.setattr(Connections, "mask", refuse)
    monkeypatch.setattr(compressed_layer, "decompress", refuse)


@support.keras_in_turn("compression", ["smallest", "gaps", "bit_mask"])
@pytest.mark.parametrize(
    "values", ["float32", pytest.param("int8", marks=pytest.mark.slow)]
)
def test_artifacts_are_those_of_masked_storage(
    keras, compression, values, tmp_path, no_dense_kernels
):
    contents, reports = [], []
    inputs = support.make_data((20,))[0]
    for storage in ("masked", "compressed"):
        keras.utils.set_random_seed(1)
        model = build(keras, storage)
        outputs = model(inputs)
        before = model.get_weights()
        path = tmp_path / storage
        report = tf_rigl.export_saved_model(
            model, str(path), compression, values=values
        )
        support.assert_all_equal(model.get_weights(), before)
        np.testing.assert_array_equal(model(inputs), outputs)
        contents.append((path / "assets" / "weights.bin").read_bytes())
        reports.append(
            [
                (row.bytes, row.encoding, row.nonzeros, row.error)
                for row in report.rows
            ]
        )
    assert contents[0] == contents[1]
    assert reports[0] == reports[1]

    loaded = tf.saved_model.load(str(path))
    tolerance = 1e-5 if values == "float32" else 0.1
    np.testing.assert_allclose(
        loaded.serve(inputs), outputs, tolerance, tolerance
    )


@pytest.mark.slow
@support.one_keras("keras")
@pytest.mark.parametrize("sparsity", [0.02, 0.5, 0.98])
def test_whatever_the_density(keras, sparsity, tmp_path):
    contents = []
    for storage in ("masked", "compressed"):
        model = build(keras, storage, sparsity)
        path = tmp_path / storage
        tf_rigl.export_saved_model(model, str(path))
        contents.append(pathlib.Path(path, "assets/weights.bin").read_bytes())
    assert contents[0] == contents[1]


@support.one_keras("tf_keras")
def test_artifacts_load_into_such_a_model(keras, tmp_path):
    model, other = build(keras, "compressed"), build(keras, "compressed")
    other.set_weights([np.zeros_like(one) for one in other.get_weights()])
    path = str(tmp_path / "exported")
    tf_rigl.export_saved_model(model, path)
    tf_rigl.load_packed_weights(other, path)
    for one, two in zip(*map(masked_weights, (model, other)), strict=True):
        np.testing.assert_array_equal(one.values(), two.values())
