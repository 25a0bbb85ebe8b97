"""Files of plans, and reports about them and about models."""

import os

import numpy as np
import pytest

import tf_rigl
from tests.export.plan import support
from tests.support import fresh_keras
from tests.support import keras_in_turn
from tests.support import one_keras
from tf_rigl import native
from tf_rigl.export.plan import export
from tf_rigl.export.plan import read
from tf_rigl.native import plan_file

needs_native = pytest.mark.skipif(
    not native.available(), reason="runs plans with the native library"
)


def network(keras, sparsity=0.9):
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    hidden = layers.Conv2D(24, 3, 2, name="stem", use_bias=False)(inputs)
    hidden = layers.BatchNormalization(name="norm")(hidden)
    hidden = layers.ReLU(name="relu")(hidden)
    hidden = layers.Dropout(0.2, name="drop")(hidden)
    hidden = layers.Conv2D(32, 3, name="conv", activation="relu")(hidden)
    hidden = layers.GlobalAveragePooling2D(name="mean")(hidden)
    outputs = layers.Dense(10, name="head")(hidden)
    model = keras.Model(inputs, outputs, name="network")
    if sparsity:
        tf_rigl.sparsify(model, sparsity, dense=[model.get_layer("head")])
    return model


@pytest.fixture(scope="module")
def sparse():
    """A sparse model for tests that do not change it."""
    return network(fresh_keras("keras"))


@needs_native
@keras_in_turn(
    "storage", ["masked", "compressed"], lambda storage: storage != "masked"
)
def test_file_computes_what_the_model_computes(keras, storage, tmp_path):
    model = network(keras, 0)
    tf_rigl.sparsify(model, 0.9, storage=storage)
    path = tmp_path / "model.plan"
    report = tf_rigl.export_plan(model, path)

    assert report.path == str(path)
    assert report.file_bytes == path.stat().st_size
    assert 0 < report.relative_error < support.TOLERANCE
    plan = native.Plan(path)
    for examples in (1, 3, 32):
        images = support.batch(16, 16, 3, examples=examples)
        support.assert_close(plan(images), *support.expected_of(model, images))


@needs_native
@pytest.mark.parametrize(
    ("precision", "smallest", "largest"),
    [("float16", 1e-6, 1e-3), ("int8", 1e-4, 0.05)],
)
def test_rounded_kernels(sparse, precision, smallest, largest, tmp_path):
    exact = tf_rigl.export_plan(sparse, tmp_path / "exact.plan")
    report = tf_rigl.export_plan(
        sparse, tmp_path / "rounded.plan", precision=precision
    )
    assert report.file_bytes < exact.file_bytes
    assert smallest < report.relative_error < largest
    assert f"weights in {precision}" in str(report)


def test_report(sparse, tmp_path):
    report = tf_rigl.export_plan(sparse, tmp_path / "model.plan")
    kernels = [one for one in sparse.get_weights() if one.ndim > 1]
    assert report.nonzeros == sum(map(np.count_nonzero, kernels))
    assert report.weights == 27 * 24 + 9 * 24 * 32 + 320
    assert report.density == pytest.approx(report.nonzeros / report.weights)
    assert [row.name for row in report.rows] == ["stem", "conv", "head"]
    text = str(report)
    assert "convolution 3×3×24×32" in text
    assert "4 steps, weights in float32" in text


def test_check(sparse):
    check = tf_rigl.check_plan(sparse)
    assert check.fits
    assert {row.path: row.runs for row in check.rows} == {
        "stem": "sparse" if stem_density(sparse) < 0.5 else "dense",
        "norm": "folded",
        "relu": "folded",
        "drop": "nothing",
        "conv": "sparse",
        "mean": "plain",
        "head": "dense",
    }
    rows = {row.path: row for row in check.rows}
    assert rows["norm"].how == "in stem"
    assert rows["conv"].dense_macs == 5 * 5 * 9 * 24 * 32
    assert rows["conv"].macs == 25 * rows["conv"].nonzeros
    assert check.macs == sum(row.macs for row in check.rows)
    assert "A plan can compute it." in str(check)


def stem_density(model):
    mask = next(iter(tf_rigl.masks(model).values()))
    return mask.mean()


@one_keras("keras")
def test_check_of_a_dense_model_says_what_to_do(keras):
    (advice,) = tf_rigl.check_plan(network(keras, 0)).advice
    assert "too few zeros to skip: conv (" in advice


@one_keras("tf_keras")
def test_check_tells_of_steps_that_could_be_folded(keras):
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    hidden = layers.Conv2D(8, 3, activation="relu")(inputs)
    hidden = layers.BatchNormalization(name="late")(hidden)
    model = keras.Model(inputs, layers.ReLU()(hidden))
    advice = " ".join(tf_rigl.check_plan(model).advice)
    assert "steps of their own: late." in advice


@one_keras("keras")
def test_check_of_what_plans_do_not_have(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 6)),
            layers.UpSampling1D(name="one"),
            layers.Conv1DTranspose(5, 3, name="two"),
            layers.UpSampling1D(name="three"),
            layers.Dense(3, name="head"),
        ]
    )
    check = tf_rigl.check_plan(model)
    assert not check.fits
    assert [row.runs for row in check.rows] == [
        "refused",
        "refused",
        "refused",
        "dense",
    ]
    first, second = check.problems
    assert first.startswith("one, three (UpSampling1D): ")
    assert second.startswith("two (Conv1DTranspose): ")
    assert "A plan cannot compute it." in str(check)


def test_existing_file_is_kept(sparse, tmp_path):
    path = tmp_path / "model.plan"
    path.write_text("mine")
    with pytest.raises(ValueError, match="overwrite=True"):
        tf_rigl.export_plan(sparse, path)
    assert path.read_text() == "mine"
    tf_rigl.export_plan(sparse, path, overwrite=True)
    assert path.read_bytes().startswith(plan_file.MAGIC)
    assert os.listdir(tmp_path) == ["model.plan"]


@one_keras("keras")
def test_nothing_is_written_on_failure(keras, tmp_path, monkeypatch):
    model = network(keras, 0)
    with pytest.raises(ValueError, match="precision"):
        tf_rigl.export_plan(model, tmp_path / "a.plan", precision="int3")

    model.get_layer("head").bias.assign(np.full(10, np.nan))
    if native.available():
        with pytest.raises(ValueError, match="no finite numbers"):
            tf_rigl.export_plan(model, tmp_path / "b.plan")

    def fail(*arguments, **options):
        raise OSError("no space")

    monkeypatch.setattr(export.atomic_files, "open_whole", fail)
    with pytest.raises(OSError, match="no space"):
        tf_rigl.export_plan(network(keras, 0), tmp_path / "c.plan")
    assert not os.listdir(tmp_path)


@needs_native
def test_model_that_computes_in_16_bits(keras3, tmp_path):
    """The plan computes in float32; the model is off by what it rounds."""
    layer = keras3.layers.Dense(300, dtype="mixed_bfloat16")
    model = keras3.Sequential([keras3.Input((200,)), layer])
    report = tf_rigl.export_plan(model, tmp_path / "model.plan")
    assert 1e-4 < report.relative_error < 0.1


def test_without_the_native_library(sparse, tmp_path, monkeypatch):
    """The same file, which nothing has run."""
    path = tmp_path / "model.plan"
    monkeypatch.setattr(native, "available", lambda: False)
    report = tf_rigl.export_plan(sparse, path)
    assert report.error is None
    assert "Not compared with the model" in str(report)
    assert path.read_bytes() == plan_file.encode(read.graph_of(sparse))
