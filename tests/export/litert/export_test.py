import contextlib
import importlib
import os

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests.export import support
from tests.support import in_turn
from tf_rigl.export.litert import format
from tf_rigl.export.litert import run
from tf_rigl.export.litert import sparse
from tf_rigl.export.litert.export import export_litert

# As a share of the largest output.
LIMITS = {
    "float32": 1e-5,
    "float16": 2e-3,
    "dynamic_int8": 0.02,
    "full_int8": 0.1,
}


def all_kinds(keras):
    """Builds a network with each kind of weight that can be sparse."""
    layers = keras.layers
    images = keras.Input((10, 10, 8), name="images")
    features = layers.Conv2D(32, 3, activation="relu")(images)
    features = layers.DepthwiseConv2D(3, padding="same")(features)
    features = layers.Conv2D(64, 1, activation="relu")(features)
    features = layers.Conv2DTranspose(24, 3)(features)
    features = layers.GlobalAveragePooling2D()(features)
    # Not a multiple of four: the converter's own blocks would break here.
    features = layers.Dense(90, activation="relu")(features)
    return keras.Model(images, layers.Dense(50)(features))


def pictures(examples=6):
    random = np.random.default_rng(0)
    return random.normal(size=(examples, 10, 10, 8)).astype(np.float32)


@contextlib.contextmanager
def sparse_copy(model, sparsity=0.9):
    """Makes the model sparse, and plain again at the end of the block."""
    before = model.get_weights()
    yield tf_rigl.sparsify(model, sparsity, "uniform")
    tf_rigl.strip(model).set_weights(before)


@pytest.fixture(scope="module")
def network(request):
    keras = importlib.import_module(getattr(request, "param", "keras"))
    keras.utils.set_random_seed(1)
    return all_kinds(keras)


def interpret(path, **inputs):
    return run.run(path.read_bytes(), inputs)


def sparse_values(path):
    model = format.read(path.read_bytes())
    found = {}
    for _, tensor in format.constants(model):
        if tensor.sparsity is None:
            continue
        shape = format.shape(tensor)
        values = format.data(model, tensor)
        values = values.view(format.WEIGHT_TYPES[tensor.type])
        found[shape] = sparse.decode(tensor.sparsity, values, shape)
    return found


@pytest.mark.parametrize(
    ("quantization", "network"), in_turn(LIMITS), indirect=["network"]
)
def test_quantizations(network, quantization, tmp_path):
    path = tmp_path / "model.tflite"
    data = pictures() if quantization == "full_int8" else None
    with sparse_copy(network) as model:
        before = support.weights_of(model)
        masks = tf_rigl.masks(model)
        options = tf_rigl.LiteRTOptions(verification_data=pictures())
        with support.expect_slow(quantization):
            report = export_litert(
                model, path, quantization, data, options=options
            )
        support.assert_same(support.weights_of(model), before)
        support.assert_same(tf_rigl.masks(model), masks)
        expected = np.asarray(model(pictures(1)))
        kernel = np.asarray(model.layers[-1].kernel)

    # By itself, batches of another size, as phones do.
    (outputs,) = interpret(path, images=pictures(1)).values()
    apart = np.abs(outputs - expected).max()
    limit = LIMITS[quantization]
    assert apart < limit * np.abs(expected).max()
    assert report.relative_error < limit
    assert 0 < report.error < np.inf
    assert report.notes == ()

    # The file is what the report says.
    assert path.stat().st_size == report.file_bytes < report.dense_file_bytes
    found = sparse_values(path)
    assert found.keys() == {row.shape for row in report.rows if row.sparse}
    dense_kernel = (50, 90)
    kinds = {(32, 3, 3, 8), (64, 1, 1, 32), (24, 3, 3, 64)}
    if quantization == "full_int8":
        dense_kernel = (50, 1, 1, 90)  # A convolution computes it.
    if quantization == "float16":
        kinds.remove((24, 3, 3, 64))
        reasons = [row.reason for row in report.rows if row.reason]
        assert "XNNPACK misreads sparse float16 in TRANSPOSE_CONV" in reasons
    assert {*kinds, dense_kernel} <= found.keys()
    for row in report.rows:
        if row.sparse:
            assert row.bytes < 0.5 * row.dense_bytes

    # And the weights are the model's.
    stored = found[dense_kernel].reshape(50, 90).T
    if quantization == "float32":
        np.testing.assert_array_equal(stored, kernel)
    else:
        assert not stored[kernel == 0].any()
    assert f"{report.file_bytes:,} bytes, {quantization}" in str(report)


def test_weights_that_are_smaller_dense_stay_dense(network, tmp_path):
    sizes = {}
    for sparsity in (0.4, 0.6):
        with sparse_copy(network, sparsity) as model:
            report = export_litert(
                model, tmp_path / "model", "dynamic_int8", overwrite=True
            )
        assert report.file_bytes <= report.dense_file_bytes
        sizes[sparsity] = report.dense_file_bytes - report.file_bytes
    assert sizes[0.4] == 0 < sizes[0.6]
    assert sum(row.reason == "smaller dense" for row in report.rows) > 0


def test_plain_models_and_sparse_ones_give_one_file(network, tmp_path):
    with sparse_copy(network) as model:
        export_litert(model, tmp_path / "sparse")
        options = tf_rigl.LiteRTOptions(sparse=False)
        dense = export_litert(model, tmp_path / "dense", options=options)
        export_litert(tf_rigl.strip(model), tmp_path / "stripped")
    sparse = (tmp_path / "sparse").read_bytes()
    assert (tmp_path / "stripped").stat().st_size == len(sparse)
    assert dense.file_bytes == dense.dense_file_bytes > 3 * len(sparse)
    assert not any(row.sparse for row in dense.rows)


def test_inputs_and_outputs_by_name(keras, tmp_path):
    layers = keras.layers
    left = keras.Input((20,), name="left")
    right = keras.Input((4,), dtype="int32", name="right")
    joined = layers.Concatenate()(
        [left, layers.Flatten()(layers.Embedding(9, 8)(right))]
    )
    hidden = layers.Dense(80, activation="relu")(joined)
    outputs = {"a": layers.Dense(3)(hidden), "b": layers.Dense(2)(hidden)}
    model = keras.Model({"left": left, "right": right}, outputs)
    tf_rigl.sparsify(model, 0.9)

    report = export_litert(model, tmp_path / "model")
    assert any(row.sparse for row in report.rows)
    batch = {
        "left": np.ones((3, 20), np.float32),
        "right": np.full((3, 4), 7, np.int32),
    }
    found = interpret(tmp_path / "model", **batch)
    for name, expected in model(batch).items():
        np.testing.assert_allclose(found[name], expected, atol=1e-5)


def test_recurrent_models_need_a_batch_size(keras3, tmp_path):
    model = keras3.Sequential(
        [keras3.Input((6, 16)), keras3.layers.LSTM(64), keras3.layers.Dense(4)]
    )
    tf_rigl.sparsify(model, 0.95)

    path = tmp_path / "model"
    with pytest.raises(ValueError, match=r"TensorFlow's conv.*batch_size=1"):
        export_litert(model, path)
    data = np.ones((5, 6, 16), np.float32)
    with pytest.raises(ValueError, match=r"Loops cannot.*unroll=True"):
        export_litert(model, path, "full_int8", data, batch_size=2)
    assert os.listdir(tmp_path) == []

    options = tf_rigl.LiteRTOptions(verification_data=data)
    report = export_litert(model, path, batch_size=2, options=options)
    assert report.relative_error < 1e-5
    # Within the loop, too: both kernels of the cell.
    found = {row.shape for row in report.rows if row.sparse}
    assert {(256, 16), (256, 64)} <= found
    runner = run.Runner(path.read_bytes())
    (name,) = runner.inputs
    (outputs,) = runner({name: data[:2]}).values()
    np.testing.assert_allclose(outputs, model(data[:2]), atol=1e-5)
    with pytest.raises(ValueError, match=r"at least. Received: batch_size=8"):
        export_litert(
            model, path, batch_size=8, overwrite=True, options=options
        )


def test_operations_that_litert_lacks(keras3, tmp_path):
    class Determinant(keras3.layers.Layer):
        def call(self, inputs):
            return tf.linalg.det(tf.reshape(inputs, (-1, 8, 8)))

    model = keras3.Sequential(
        [keras3.Input((64,)), keras3.layers.Dense(64), Determinant()]
    )
    tf_rigl.sparsify(model, 0.9)
    path = tmp_path / "model"
    with pytest.raises(ValueError, match=r"\['MatrixDeterminant'\]. With sel"):
        export_litert(model, path)
    report = export_litert(
        model, path, options=tf_rigl.LiteRTOptions(select_tf_ops=True)
    )
    assert report.error is None
    assert "Not compared with the model" in str(report)
    assert [row.sparse for row in report.rows] == [True]


def test_mixed_precision_is_refused(keras, tmp_path):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4, dtype="mixed_float16")]
    )
    with pytest.raises(ValueError, match=r"compute_dtype='float16'. Build"):
        export_litert(model, tmp_path / "model")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quantization": "int4"}, r"`quantization` must be one of.*'int4'"),
        (
            {"quantization": "full_int8"},
            r"representative_data=None. Pass some hundred examples",
        ),
        (
            {"quantization": "float16", "representative_data": [1]},
            "Only 'full_int8' uses `representative_data`",
        ),
        (
            {"options": tf_rigl.LiteRTOptions(int8_io=True)},
            "int8 only where activations are",
        ),
        ({"batch_size": 0}, "`batch_size` must be positive or None"),
        (
            {
                "quantization": "float16",
                "options": tf_rigl.LiteRTOptions(tolerance=0.0),
            },
            r"to `tolerance` of the largest output. Received: tolerance=0 and",
        ),
    ],
)
def test_wrong_arguments(model, arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_litert(model, tmp_path / "model", **arguments)
    assert os.listdir(tmp_path) == []


def test_files_are_not_replaced_unasked(model, tmp_path):
    path = tmp_path / "model"
    path.write_text("mine")
    with pytest.raises(ValueError, match=r"must not exist.*overwrite=True"):
        export_litert(model, path)
    options = tf_rigl.LiteRTOptions(tolerance=0.0)
    with pytest.raises(ValueError, match="tolerance=0"):
        export_litert(model, path, "float16", overwrite=True, options=options)
    assert path.read_text() == "mine"
    export_litert(model, path, overwrite=True)
    assert format.is_model(path.read_bytes())
    assert os.listdir(tmp_path) == ["model"]


def test_a_weight_of_zeros_only(keras, tmp_path):
    """A normalization with scale 0 makes one when the converter folds it."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 16)),
            layers.Conv2D(32, 3, use_bias=False),
            layers.BatchNormalization(gamma_initializer="zeros"),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )
    tf_rigl.sparsify(model, 0.9)

    report = export_litert(model, tmp_path / "model.tflite")
    assert [row.sparse for row in report.rows] == [True, True]
    assert min(row.nonzeros for row in report.rows) <= 1
    assert report.file_bytes < 0.5 * report.dense_file_bytes
    assert report.error == 0
