import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tf_rigl.backend.call_signature import call_signature
from tf_rigl.export.litert.run import Runner
from tf_rigl.export.litert.run import calibration_feed
from tf_rigl.export.litert.run import named_inputs
from tf_rigl.export.litert.run import run
from tf_rigl.export.litert.run import runtime


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3), name="pictures")
    features = keras.layers.Conv2D(16, 3, activation="relu")(inputs)
    features = keras.layers.GlobalAveragePooling2D()(features)
    outputs = keras.layers.Dense(5)(features)
    return tf_rigl.sparsify(keras.Model(inputs, outputs), 0.5, "uniform")


@pytest.mark.parametrize("quantization", ["float32", "dynamic_int8"])
def test_one_interpreter_for_any_batch_size(network, quantization, tmp_path):
    """Batches may become smaller, like the last of a data set, and larger."""
    tf_rigl.export_litert(network, tmp_path / "model.tflite", quantization)
    content = (tmp_path / "model.tflite").read_bytes()
    runner = Runner(content)
    assert runner.inputs == ["pictures"]
    random = np.random.default_rng(0)
    for size in (1, 4, 3, 4, 9):
        pictures = random.normal(size=(size, 8, 8, 3)).astype(np.float32)
        (output,) = runner({"pictures": pictures}).values()
        (alone,) = run(content, {"pictures": pictures}).values()
        np.testing.assert_array_equal(output, alone)
        assert output.shape == (size, 5)


def test_without_litert_tensorflow_runs_files(network, tmp_path, monkeypatch):
    tf_rigl.export_litert(network, tmp_path / "model.tflite")
    content = (tmp_path / "model.tflite").read_bytes()
    inputs = {"pictures": np.ones((2, 8, 8, 3), np.float32)}
    (before,) = run(content, inputs).values()
    # Its import fails then, installed or not.
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert runtime() == f"TensorFlow {tf.__version__}"
    (outputs,) = run(content, inputs).values()
    np.testing.assert_allclose(outputs, before, rtol=1e-5)


def test_no_file_of_litert():
    with pytest.raises(ValueError, match="not a valid Flatbuffer"):
        Runner(b"nothing of the kind")


@pytest.fixture(scope="module")
def call(model):
    return call_signature(model, None)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda data: data,
        lambda data: [data[:3], data[3:]],
        lambda data: lambda: iter([data]),
        lambda data: (one[None] for one in data),
        lambda data: tf.data.Dataset.from_tensor_slices(
            (data, np.zeros(len(data)))
        ).batch(3),
        lambda data: tf.data.Dataset.from_tensor_slices(data).batch(6),
    ],
    ids=["batch", "list", "function", "generator", "pairs", "dataset"],
)
def test_representative_data(call, wrap):
    data = np.arange(120, dtype=np.float32).reshape(6, 20)
    feed = calibration_feed(call, wrap(data), 1)
    for _ in range(2):  # The converter may ask twice.
        fed = np.concatenate([next(iter(one.values())) for one in feed()])
        np.testing.assert_array_equal(fed, data)


def test_wrong_data(call):
    with pytest.raises(ValueError, match=r"some examples.*has 4 at least"):
        calibration_feed(call, np.ones((3, 20), np.float32), 4)
    with pytest.raises(ValueError, match="Received: 2 arrays"):
        named_inputs(call, [np.ones((3, 20)), np.ones((3, 20))])
