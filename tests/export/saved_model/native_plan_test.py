"""SavedModels that the native library runs."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl import native
from tf_rigl.backend import native_ops
from tf_rigl.experiments import inspection
from tf_rigl.experiments.benchmark import opened_models
from tf_rigl.experiments.runs import evaluation
from tf_rigl.export.saved_model.export import export_saved_model

pytestmark = pytest.mark.skipif(
    not native_ops.available(), reason="needs the native library"
)

TOLERANCE = 1e-5  # of the largest output

# In a process of its own; the argument is the artifact.
LOAD = """
import sys
import numpy as np
import tensorflow as tf

path = sys.argv[1]
try:
    tf.saved_model.load(path)
except Exception as error:
    print("RiglPlan" in str(error))
import tf_rigl
tf_rigl.load_native_ops()
inputs = np.load(path + ".inputs.npy")
outputs = [tf.saved_model.load(path).serve(inputs)]
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    loaded = tf.compat.v1.saved_model.load(session, ["serve"], path)
    signature = loaded.signature_def["serving_default"]
    (given,) = signature.inputs.values()
    (made,) = signature.outputs.values()
    outputs.append(session.run(made.name, {given.name: inputs}))
import keras
layer = keras.layers.TFSMLayer(path, call_endpoint="serve")
model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
outputs.append(model.predict(inputs, verbose=0))
expected = np.load(path + ".expected.npy")
for one in outputs:
    print(np.abs(np.asarray(one) - expected).max() < 1e-5)
"""


def make_convnet(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(16, 3, strides=2, padding="same"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation="softmax"),
        ]
    )
    return tf_rigl.sparsify(model, 0.8), [(8, 8, 3)]


def make_two(keras):
    """Two inputs, of one shape, and two outputs by name."""
    layers = keras.layers
    first = keras.Input((12,), name="second")
    second = keras.Input((12,), name="first")
    both = layers.Concatenate()([layers.Dense(8)(first), second])
    outputs = {"b": layers.Dense(3)(both), "a": layers.ReLU()(both)}
    return keras.Model([first, second], outputs), [(12,), (12,)]


def make_recurrent(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 8)),
            layers.Bidirectional(layers.LSTM(16, return_sequences=True)),
            layers.GRU(16),
            layers.Dense(5),
        ]
    )
    return tf_rigl.sparsify(model, 0.8), [(6, 8)]


def assert_close(found, expected):
    found, expected = tf.nest.flatten(found), tf.nest.flatten(expected)
    for one, other in zip(found, expected, strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= TOLERANCE * np.abs(other).max()


@pytest.mark.parametrize("make", [make_convnet, make_two, make_recurrent])
def test_same_as_the_model_and_called_like_it(make, keras, tmp_path):
    model, shapes = make(keras)
    report = export_saved_model(model, tmp_path / "native", runtime="native")
    export_saved_model(model, tmp_path / "portable")
    assert "tf_rigl.load_native_ops()" in str(report)
    loaded = tf.saved_model.load(str(tmp_path / "native"))
    portable = tf.saved_model.load(str(tmp_path / "portable"))
    one, other = (
        each.signatures["serving_default"] for each in (loaded, portable)
    )
    assert one.structured_input_signature == other.structured_input_signature
    assert one.structured_outputs == other.structured_outputs

    random = np.random.default_rng(0)
    run = tf.function(lambda inputs: loaded.serve(inputs))
    for batch in (1, 4):
        arrays = [
            tf.constant(random.normal(size=(batch, *shape)), tf.float32)
            for shape in shapes
        ]
        given = arrays[0] if len(arrays) == 1 else arrays
        expected = model(given, training=False)
        assert_close(loaded.serve(given), expected)
        assert_close(run(given), expected)
        named = one.structured_input_signature[1]
        by_name = dict(zip(named, arrays, strict=True))
        assert_close(one(**by_name), other(**by_name))


@pytest.mark.parametrize(("values", "largest"), [("float16", 11), ("int8", 7)])
def test_rounded_kernels(values, largest, tmp_path):
    """An element is off by half a unit of its last bit at most."""
    import keras

    model = support.make_mlp(keras)
    export_saved_model(model, tmp_path / "exact", runtime="native")
    report = export_saved_model(
        model, tmp_path / "rounded", runtime="native", values=values
    )
    kernels = [layer.kernel.numpy() for layer in model.layers if layer.weights]
    highest = max(np.abs(kernel).max() for kernel in kernels)
    assert 0 < report.error <= highest * 2.0**-largest
    assert values in str(report)

    inputs = np.random.default_rng(0).normal(size=(4, 20)).astype("float32")
    loaded = tf.saved_model.load(str(tmp_path / "rounded"))
    expected = np.asarray(model(inputs))
    off = np.abs(loaded.serve(inputs).numpy() - expected).max()
    assert 1e-5 < off / np.abs(expected).max() < 0.05


def test_values_that_plans_do_not_have(tmp_path):
    import keras

    with pytest.raises(
        ValueError, match=r"one of 'float32', 'float16', 'int8'.*'bfloat16'"
    ):
        export_saved_model(
            support.make_mlp(keras),
            tmp_path / "a",
            runtime="native",
            values="bfloat16",
        )
    assert not list(tmp_path.iterdir())


def test_programs_know_it(tmp_path):
    import keras

    model = support.make_mlp(keras)
    export_saved_model(model, tmp_path / "a", runtime="native")
    with pytest.raises(ValueError, match="which the native library runs"):
        inspection.inspect_file(tmp_path / "a")
    inputs = np.ones((2, 20), np.float32)
    found = evaluation.load_predict(tmp_path / "a")(tf.constant(inputs))
    assert_close(found, model(inputs))
    path = tmp_path / "a"
    opened = opened_models.open_model("saved_model", path, 1)
    assert_close(list(opened.prepare([inputs]).run().values()), model(inputs))


@pytest.mark.slow
def test_other_loaders_in_another_process(keras, tmp_path):
    model = tf_rigl.sparsify(support.make_mlp(keras), 0.8)
    path = tmp_path / "exported"
    export_saved_model(model, path, runtime="native")
    inputs = np.random.default_rng(0).normal(size=(3, 20)).astype("float32")
    np.save(f"{path}.inputs.npy", inputs)
    np.save(f"{path}.expected.npy", np.asarray(model(inputs)))
    printed = support.run_python("-c", LOAD, path)
    assert printed.split() == ["True"] * 4


@pytest.mark.parametrize(
    "given",
    [
        {"compression": "dense"},
        {"compression": None},
        {"signatures": {"other": tf.function(lambda: 1, input_signature=[])}},
    ],
)
def test_refuses_what_plans_do_not_have(given, tmp_path):
    import keras

    model = support.make_mlp(keras)
    with pytest.raises(ValueError, match=r"must come without .* Leave them"):
        export_saved_model(model, tmp_path / "a", runtime="native", **given)
    with pytest.raises(ValueError, match="runtime"):
        export_saved_model(model, tmp_path / "a", runtime="other")
    assert not list(tmp_path.iterdir())


def test_needs_the_library(tmp_path):
    import keras

    model = support.make_mlp(keras)
    native.use(False)
    try:
        with pytest.raises(ValueError, match="needs the native library"):
            export_saved_model(model, tmp_path / "a", runtime="native")
    finally:
        native.use(True)
