import importlib
import pathlib

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests.distribution import exports
from tests.export import support
from tests.support import one_keras
from tests.support import run_python
from tf_rigl.export.saved_model.export import export_saved_model
from tf_rigl.export.saved_model.restore import load_packed_weights
from tf_rigl.masking.masked_weight import masked_weights

SCRIPT = pathlib.Path(__file__).with_name("load_everywhere.py")


FEW_CASES = [
    ("keras", "convolutions", "bit_mask", "float32"),
    ("keras", "sequential", "smallest", "int8"),
    ("tf_keras", "recurrent", "gaps", "float32"),
    ("keras", "nested", "smallest", "seed"),
]
OTHER_CASES = [("tf_keras", "convolutions", "bit_mask", "seed")]


@pytest.mark.parametrize(
    "cases",
    [FEW_CASES, pytest.param(OTHER_CASES, marks=pytest.mark.slow)],
    ids=["few", "others"],
)
def test_any_loader_without_the_library(tmp_path, cases):
    """TensorFlow 2, the TF1 loader and `TFSMLayer` load it by themselves."""
    inputs, expected = {}, {}
    for flavor, name, compression, values in cases:
        keras = importlib.import_module(flavor)
        model = support.sparse_model(keras, name)
        if values == "seed":
            tf_rigl.reinitialize(model, "kaiming_normal", seed=3)
            for weight in masked_weights(model):
                # As a supermask is rescaled.
                weight.set_values(weight.values() * np.float32(1.9287))
        key = f"{flavor}-{name}"
        path = tmp_path / key
        export_saved_model(model, path, compression, values=values)
        inputs[key] = support.batch(name).numpy()
        if values == "int8":
            load_packed_weights(model, path)
        expected[key] = support.infer(model, inputs[key])

    for flavor in ("keras", "tf_keras"):
        key = f"{flavor}-text"
        model = support.text_model(importlib.import_module(flavor))
        export_saved_model(model, tmp_path / key)
        inputs[key] = np.array(support.TEXTS, np.bytes_)
        expected[key] = support.infer(model, tf.constant(inputs[key]))

    np.savez(tmp_path / "inputs.npz", **inputs)
    np.savez(tmp_path / "expected.npz", **expected)
    lines = run_python(SCRIPT, tmp_path, *inputs, cwd=tmp_path).splitlines()
    assert len(lines) == 4 * len(expected)
    assert all(line.endswith(" same") for line in lines), lines


def test_frozen_and_converted(model, tmp_path):
    """Tools can turn an artifact's variables into constants."""
    export_saved_model(model, tmp_path / "model", "bit_mask")
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(tmp_path / "model")
    )
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    (place,) = interpreter.get_input_details()
    inputs = support.batch(examples=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place["index"], inputs)
    interpreter.invoke()

    (place,) = interpreter.get_output_details()
    np.testing.assert_allclose(
        interpreter.get_tensor(place["index"]),
        support.infer(model, inputs),
        rtol=1e-5,
    )


def test_compiled_by_xla(model, tmp_path):
    loaded, _ = support.exported(model, tmp_path, "bit_mask")
    inputs = support.batch()
    compiled = tf.function(loaded.serve, jit_compile=True)
    np.testing.assert_allclose(
        compiled(inputs), support.infer(model, inputs), rtol=1e-5
    )


def test_any_device_can_call(model, tmp_path):
    """A loaded artifact runs on another device than it was loaded on."""
    export_saved_model(model, tmp_path / "model", "gaps")
    with tf.device("CPU:1"):
        loaded = support.load(tmp_path)
    inputs = support.batch()
    with tf.device("CPU:0"):
        support.assert_same(loaded.serve(inputs), support.infer(model, inputs))


def test_models_of_a_strategy(keras, two_replicas, tmp_path):
    with two_replicas.scope():
        model = support.sparse_model(keras, "nested")
    loaded, _ = support.exported(model, tmp_path)
    inputs = support.batch("nested")

    @tf.function
    def infer(inputs):
        return two_replicas.run(loaded.serve, (inputs,))

    expected = support.infer(model, inputs)
    support.assert_same(loaded.serve(inputs), expected)
    for outputs in two_replicas.experimental_local_results(infer(inputs)):
        support.assert_same(outputs, expected)


@one_keras("tf_keras")
def test_averages_of_replicas(keras, two_replicas, tmp_path):
    """An artifact holds the mean over replicas, like Keras's own files."""
    with two_replicas.scope():
        model = exports.build(keras)
    average = exports.spread_averages(model)
    inputs = tf.constant(exports.examples())
    expected = model(inputs, training=False)

    @tf.function(input_signature=[tf.TensorSpec([None, *exports.SHAPE])])
    def infer(images):
        return model(images, training=False)

    # Traced by the user, reading each replica, and by the export.
    signatures = {"by_replica": infer.get_concrete_function(), "infer": infer}
    for compression in ("smallest", None):
        loaded, _ = support.exported(
            model,
            tmp_path / str(compression),
            compression,
            signatures=signatures,
        )
        for name in ("serving_default", *signatures):
            (outputs,) = loaded.signatures[name](inputs).values()
            np.testing.assert_allclose(outputs, expected, atol=1e-6)
    assert average == (1.5 if keras.__name__ == "tf_keras" else 1)
    infer_alone = tf_rigl.strip(model)(inputs, training=False)
    np.testing.assert_array_equal(infer_alone, expected)


def test_damaged_weights_are_not_run(model, tmp_path):
    """TensorFlow itself raises an error before it decodes anything."""
    export_saved_model(model, tmp_path / "model", "gaps")
    blob = tmp_path / "model" / "assets" / "weights.bin"
    data = bytearray(blob.read_bytes())
    flipped = bytes([*data[:100], data[100] ^ 4, *data[101:]])
    for damaged in (data[:-1], flipped):
        blob.write_bytes(damaged)
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="packed weights is damaged"
        ):
            support.load(tmp_path)
    blob.write_bytes(data)
    support.load(tmp_path)
