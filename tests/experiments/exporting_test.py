import importlib
import itertools
import math

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl import native
from tf_rigl.experiments import exporting
from tf_rigl.experiments import model_files
from tf_rigl.experiments.export_settings import ExportSettings
from tf_rigl.export.litert import run
from tf_rigl.models import mlp


def make_model(package="keras"):
    keras = importlib.import_module(package)
    return tf_rigl.sparsify(mlp.lenet_300_100(keras, (8, 8)), 0.95)


FILES = {"saved_model": "m", "litert": "m.tflite", "keras": "m.keras"}


# In this order each form is in turn of both Kerases.
@pytest.mark.parametrize(
    ("case", "package"),
    support.in_turn([*itertools.product((False, True), FILES)]),
)
def test_the_file_matches_the_model(case, package, tmp_path):
    shrink, form = case
    name = FILES[form]
    exported = exporting.export(
        make_model(package),
        tmp_path / name,
        ExportSettings(form, shrink=shrink),
    )
    assert exported.matches
    assert exported.verdict == "matches"
    assert "logits" in exported.table
    assert ("units" in exported.table) is shrink
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(not native.available(), reason="plans run natively")
@support.keras_in_turn("shrink", [False, True], lambda shrink: shrink)
def test_the_plan_matches_the_model(shrink, keras, tmp_path):
    settings = ExportSettings("plan", shrink=shrink)
    model = make_model(keras.__name__)
    exported = exporting.export(model, tmp_path / "m.plan", settings)
    assert exported.verdict == "matches"
    assert "logits" in exported.table


@pytest.mark.skipif(not native.available(), reason="plans run natively")
@support.one_keras("tf_keras")
def test_the_plan_of_tokens_that_are_floats(keras, tmp_path):
    """They are drawn as numbers of rows; others would be refused."""
    tokens = keras.Input((6,))
    hidden = keras.layers.Embedding(30, 4)(tokens)
    model = keras.Model(tokens, keras.layers.Flatten()(hidden))
    settings = ExportSettings("plan")
    exported = exporting.export(model, tmp_path / "m.plan", settings)
    assert exported.verdict == "matches"


@pytest.mark.skipif(not native.available(), reason="plans run natively")
def test_rounded_plan_is_measured(tmp_path):
    settings = ExportSettings("plan", values="int8")
    exported = exporting.export(make_model(), tmp_path / "m.plan", settings)
    assert 1e-4 < exported.difference.relative < 0.1
    assert exported.verdict == "a rounded"


@pytest.mark.slow
@pytest.mark.skipif(not native.available(), reason="plans run natively")
def test_the_operation_matches_the_model(tmp_path):
    settings = ExportSettings(runtime="native")
    exported = exporting.export(make_model(), tmp_path / "m", settings)
    assert exported.verdict == "matches"
    assert "plan" in exported.table


def test_plan_without_what_runs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)
    with pytest.raises(ValueError, match="native library"):
        exporting.export(make_model(), tmp_path / "m", ExportSettings("plan"))
    assert not list(tmp_path.iterdir())


def test_rounded_values_are_measured(tmp_path):
    exported = exporting.export(
        make_model(), tmp_path / "m", ExportSettings(values="int8")
    )
    assert 1e-4 < exported.difference.relative < 0.1
    assert exported.verdict == "a rounded"
    settings = ExportSettings(values="int8", tolerance=1e-4, overwrite=True)
    exported = exporting.export(make_model(), tmp_path / "m", settings)
    assert exported.verdict == "DIFFERS FROM"


def test_plain_saved_model(tmp_path):
    exported = exporting.export(
        make_model(), tmp_path / "m", ExportSettings(compression="none")
    )
    assert exported.matches
    assert "variable" in exported.table
    assert (tmp_path / "m" / "variables" / "variables.index").exists()


def test_full_int8_on_given_inputs(tmp_path):
    batch = np.random.default_rng(0).random((16, 8, 8), np.float32)
    exported = exporting.export(
        make_model(),
        tmp_path / "m.tflite",
        ExportSettings("litert", quantization="full_int8"),
        inputs=batch,
        representative_data=batch,
    )
    assert exported.difference.relative < 0.1


def test_wrong_settings(tmp_path):
    with pytest.raises(ValueError, match="format='onnx'"):
        ExportSettings("onnx")
    with pytest.raises(ValueError, match=r"must end with \.keras"):
        exporting.export(make_model(), tmp_path / "m", ExportSettings("keras"))

    path = tmp_path / "m.keras"
    path.write_text("mine")
    with pytest.raises(ValueError, match="must not exist yet"):
        exporting.export(make_model(), path, ExportSettings("keras"))
    assert path.read_text() == "mine"
    with pytest.raises(ValueError, match="representative data"):
        exporting.export(
            make_model(),
            tmp_path / "m",
            ExportSettings(),
            representative_data=np.zeros(3),
        )


@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_weights_of_checkpoints(package, tmp_path):
    """A file's architecture with the weights and masks of another run."""
    model = make_model(package)
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.keras")

    trained = tf_rigl.sparsify(
        mlp.lenet_300_100(importlib.import_module(package), (8, 8)),
        0.95,
        seed=1,
    )
    trained.compile("sgd", "mse")
    tf_rigl.Checkpoints(tmp_path / "run").save(trained, step=7)
    tf_rigl.export_saved_model(trained, tmp_path / "packed")
    trained.save_weights(tmp_path / "m.weights.h5")

    for name in ("run", "packed", "m.weights.h5"):
        loaded = model_files.load_model(tmp_path / "m.keras")
        model_files.load_weights(loaded, tmp_path / name)
        for path, mask in tf_rigl.masks(trained).items():
            np.testing.assert_array_equal(tf_rigl.masks(loaded)[path], mask)

    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing.h5"):
        with pytest.raises(ValueError, match="Received: path="):
            model_files.load_weights(loaded, tmp_path / name)


def test_outputs_that_are_not_finite_match_nothing():
    """Rounded values have no limit, but for that."""
    found = exporting.Exported("", run.Difference(math.inf, 1.0), math.inf)
    assert not found.matches
    assert found.verdict == "DIFFERS FROM"
    rounded = found._replace(difference=run.Difference(0.5, 1.0))
    assert rounded.verdict == "a rounded"
