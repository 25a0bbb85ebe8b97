"""Recurrent layers whose cells compute with connections."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tf_rigl import native
from tf_rigl.masking import storage_choice
from tf_rigl.masking.masked_weight import masked_weights

METHOD = tf_rigl.RigL(stop_step=8, update_interval=3)
STEPS, FEATURES, OUTPUTS = 5, 12, 4
CASES = {
    "gru": ("GRU", {}),
    "gru_before": ("GRU", {"reset_after": False}),
    "lstm": ("LSTM", {"return_sequences": True}),
    "lstm_unrolled": ("LSTM", {"unroll": True, "use_bias": False}),
    "simple": ("SimpleRNN", {"go_backwards": True}),
    "stateful": ("GRU", {"stateful": True}),
}


def layers_of(keras, case):
    kind, options = CASES[case]
    body = [getattr(keras.layers, kind)(8, **options)]
    if case == "lstm":
        body = [
            keras.layers.Masking(),
            keras.layers.Bidirectional(*body),
            keras.layers.LSTM(6),
        ]
    return [*body, keras.layers.Dense(OUTPUTS)]


def build(keras, storage, case):
    shape = (16, STEPS, FEATURES)
    inputs = keras.Input(batch_shape=shape)
    model = keras.Sequential([inputs, *layers_of(keras, case)])
    rng = np.random.default_rng(1)
    model.set_weights(
        [rng.normal(0, 0.3, w.shape) for w in model.get_weights()]
    )
    return tf_rigl.sparsify(model, 0.6, "uniform", storage=storage)


def data():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(32, STEPS, FEATURES)).astype("float32")
    inputs[::3, 3:] = 0  # masked, where the model looks at that
    return inputs, rng.normal(size=(32, OUTPUTS)).astype("float32")


def train(keras, storage, case, method=METHOD, **kwargs):
    model = build(keras, storage, case)
    rule = keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile(rule, "mse", **kwargs)
    fitted = support.fit(
        model, data(), method, epochs=4, batch_size=16, shuffle=False
    )
    return model, fitted.history["loss"]


def assert_trained_alike(keras, case, **kwargs):
    masked, expected = train(keras, "masked", case, **kwargs)
    model, losses = train(keras, "compressed", case, **kwargs)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    support.assert_all_equal(
        tf_rigl.masks(model).values(), tf_rigl.masks(masked).values()
    )
    return model


def is_compressed(model):
    """Says so of each kernel of a cell."""
    return [
        record.storage.is_compressed
        for record in masked_weights(model)
        if "cell" in record.path
    ]


@support.keras_in_turn("case", CASES, lambda name: name != "gru")
def test_masks_and_losses_are_those_of_masked_storage(keras, case):
    model = assert_trained_alike(keras, case)
    assert support.moved(model)
    assert all(is_compressed(model)) == (case != "gru_before")
    assert any(is_compressed(model))


@pytest.mark.slow
@support.keras_in_turn("case", ["gru", "lstm"])
def test_eager_steps(keras, case):
    assert_trained_alike(keras, case, run_eagerly=True)


@pytest.mark.slow
@support.keras_in_turn("case", ["gru", "lstm"])
def test_methods_without_growth_by_gradient(keras, case):
    method = tf_rigl.SET(stop_step=8, update_interval=3)
    assert_trained_alike(keras, case, method=method)


@pytest.mark.slow
@support.one_keras("keras")
def test_without_the_library(keras):
    if not native.available():
        pytest.skip(native.why_unavailable())
    native.use(False)
    try:
        assert_trained_alike(keras, "gru")
    finally:
        native.use(True)


@pytest.mark.slow
@support.keras_in_turn("case", ["gru", "lstm"])
def test_files_and_plain_models(keras, case, tmp_path):
    model, _ = train(keras, "compressed", case)
    inputs = tf.constant(data()[0][:16])
    outputs = model(inputs)

    path = str(tmp_path / "model.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    assert all(is_compressed(loaded))
    np.testing.assert_array_equal(loaded(inputs), outputs)

    path = str(tmp_path / "model.weights.h5")
    model.save_weights(path)
    other = build(keras, "masked", case)
    other.load_weights(path)
    np.testing.assert_allclose(other(inputs), outputs, rtol=1e-4, atol=1e-6)

    plain = tf_rigl.strip(model)
    np.testing.assert_allclose(plain(inputs), outputs, rtol=1e-4, atol=1e-6)
    for layer in plain.layers:
        assert "call" not in vars(layer)


@pytest.mark.slow
@support.one_keras("keras")
def test_states_are_given_and_returned(keras):
    inputs = keras.Input((STEPS, FEATURES))
    state = keras.Input((8,))
    layer = keras.layers.GRU(8, return_state=True)
    outputs = layer(inputs, initial_state=state)
    model = keras.Model([inputs, state], list(outputs))
    tf_rigl.sparsify(model, 0.6, storage="compressed")
    given = [data()[0], np.ones((32, 8), "float32")]
    found = model(given)
    plain = tf_rigl.strip(model)
    for one, other in zip(found, plain(given), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


REASONS = {
    "dropout": ({"dropout": 0.1}, "its cell has dropout"),
    "reset": ({"reset_after": False}, "without reset_after its gates"),
}


@pytest.mark.slow
@support.one_keras("keras")
@pytest.mark.parametrize("name", REASONS)
def test_kernels_of_cells_that_stay_masked(keras, name):
    options, reason = REASONS[name]
    layer = keras.layers.GRU(8, **options)
    model = keras.Sequential([keras.Input((STEPS, FEATURES)), layer])
    tf_rigl.sparsify(model, 0.6, storage="compressed")
    reasons = storage_choice.reasons(model).values()
    assert any(one.startswith(f"masked: {reason}") for one in reasons)
