"""Models in memory, in this process: those of other formats need none."""

import pathlib

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl import native
from tf_rigl.experiments.benchmark import inputs
from tf_rigl.experiments.benchmark import measurement
from tf_rigl.experiments.benchmark import opened_models


def call(kind, path, arrays=None, batch=3):
    """Opens a model and calls it: what it takes, and its outputs by name."""
    model = opened_models.open_model(kind, pathlib.Path(path), 1)
    if arrays is None:
        arrays = inputs.draw(model.inputs, batch, 5, 0)
    prepared = model.prepare(arrays)
    first = prepared.name_outputs(prepared.run())
    again = prepared.name_outputs(prepared.run())
    support.assert_all_equal(first.values(), again.values())
    return model.inputs, {k: inputs.plain(v) for k, v in first.items()}


def same(expected, found, limit=1e-5):
    difference = measurement.difference(expected, found)
    assert difference is not None
    return difference <= limit


def test_formats_of_one_model(folder):
    specs, expected = call("keras", folder / "model.keras")
    assert [spec.shape for spec in specs] == [(None, 20)]
    (output,) = expected.values()
    assert output.shape == (3, 10)
    others = {"saved_model": "packed", "litert": "model.tflite"}
    if native.available():
        others["plan"] = "model.plan"
    for kind, name in others.items():
        own, found = call(kind, folder / name)
        assert inputs.positions(own, specs) == [0]
        assert same(expected, found)


@pytest.mark.skipif(not native.available(), reason="plans run natively")
@support.one_keras("keras")
def test_tokens_of_a_plan_are_integers(keras, tmp_path):
    tokens = keras.Input((6,), dtype="int64")
    outputs = keras.layers.Embedding(30, 4)(tokens)
    model = keras.Model(tokens, outputs)
    tf_rigl.export_plan(model, tmp_path / "m.plan")
    model.save(tmp_path / "m.keras")
    specs, expected = call("keras", tmp_path / "m.keras")
    own, found = call("plan", tmp_path / "m.plan")
    assert inputs.positions(own, specs) == [0]
    assert same(expected, found, 0)


@pytest.mark.slow
def test_integers_of_a_file_are_floats_outside(keras, tmp_path):
    model = support.make_mlp(keras)
    model.save(tmp_path / "model.keras")
    tf_rigl.export_litert(
        model,
        tmp_path / "int8.tflite",
        "full_int8",
        np.random.default_rng(0).normal(size=(64, 20)).astype("float32"),
        options=tf_rigl.LiteRTOptions(int8_io=True),
    )
    specs, found = call("litert", tmp_path / "int8.tflite")
    assert specs[0].dtype == "float32"
    _, expected = call("keras", tmp_path / "model.keras")
    assert same(expected, found, 0.2)
    assert not same(expected, found, 1e-5)


def make_two(keras):
    """A model of two inputs, whose names are not in the order of the calls."""
    layers = keras.layers
    words = keras.Input((None,), dtype="int32", name="words")
    image = keras.Input((4, 4, 1), name="image")
    read = layers.GlobalMaxPooling1D()(layers.Embedding(7, 3)(words))
    seen = layers.Flatten()(layers.Conv2D(2, 3, name="conv")(image))
    both = layers.Concatenate()([read, seen])
    return keras.Model([words, image], {"a": both, "b": layers.Dense(2)(both)})


def test_several_inputs_and_outputs(keras, tmp_path):
    model = make_two(keras)
    model.save(tmp_path / "model.keras")
    tf_rigl.export_saved_model(model, tmp_path / "exported")
    specs, expected = call("keras", tmp_path / "model.keras")
    others = opened_models.open_model("saved_model", tmp_path / "exported", 1)
    places = inputs.positions(others.inputs, specs)

    arrays = inputs.draw(specs, 3, 5, 0)
    _, found = call(
        "saved_model", tmp_path / "exported", [arrays[i] for i in places]
    )
    assert sorted(found) == sorted(expected) == ["a", "b"]
    assert same(expected, found)
    named = {spec.name: x for spec, x in zip(specs, arrays, strict=True)}
    direct = model(list(map(named.get, ("words", "image"))))
    np.testing.assert_allclose(expected["b"], direct["b"], 1e-5, 1e-6)


def make_factorized(keras):
    return tf_rigl.factorize(support.make_mlp(keras, (32, 32)), ratio=0.3)


def make_shrunk(keras):
    model = support.make_mlp(keras)
    tf_rigl.prune_channels(model, 0.5)
    return tf_rigl.shrink(model)[0]


@pytest.mark.parametrize(
    "make",
    [make_factorized, pytest.param(make_shrunk, marks=pytest.mark.slow)],
)
def test_smaller_models(make, keras, tmp_path):
    model = make(keras)
    model.save(tmp_path / "model.keras")
    specs, found = call("keras", tmp_path / "model.keras")
    arrays = inputs.draw(specs, 3, 5, 0)
    expected = {"output_0": np.asarray(model(arrays[0]))}
    assert same(expected, found)


@pytest.mark.slow
@pytest.mark.parametrize("keras", ["keras"], indirect=True)
def test_half_precision(keras, tmp_path):
    """Of Keras 3: tf_keras cannot load what it saves in bfloat16."""
    model = support.make_mlp(keras, dtype="bfloat16")
    model.save(tmp_path / "model.keras")
    _, found = call("keras", tmp_path / "model.keras")
    assert next(iter(found.values())).dtype == np.float32


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"y": np.array([1.0, 2.0])}, 0.0),
        ({"other": np.array([1.0, 2.5])}, 0.25),
        ({"y": np.array([np.nan, 2.0])}, np.inf),
        ({"y": np.array([[1.0, 2.0]])}, None),
        ({"y": np.array([1.0, 2.0]), "z": np.zeros(1)}, None),
    ],
)
def test_difference(found, expected):
    reference = {"y": np.array([1.0, 2.0])}
    assert measurement.difference(reference, found) == expected


@pytest.mark.slow
def test_strings(keras, tmp_path):
    words = keras.Input((1,), dtype="string")
    looked_up = keras.layers.StringLookup(vocabulary=["0", "1"])(words)
    model = keras.Model(words, keras.layers.Embedding(3, 2)(looked_up))
    model.save(tmp_path / "model.keras")
    tf_rigl.export_saved_model(model, tmp_path / "exported")
    specs, expected = call("keras", tmp_path / "model.keras")
    assert specs[0].dtype == "string"
    assert same(expected, call("saved_model", tmp_path / "exported")[1])
