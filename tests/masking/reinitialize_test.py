"""New initial values: their distributions, what they keep, what they need."""

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.masking import model_weights
from tf_rigl.masking.masked_weight import masked_weights

# Sums of the bits of all values of each weight, by method.
GOLDEN = [
    [-43359564386, -415640000780, -35384501924],
    [-33755940125, -700070998225, -24834078845],
    [-39400647304, -701676240927, -25358792455],
]
HOWS = ("reshuffle", "constant", "tickets")
HOWS += ("signed_kaiming", "kaiming_normal", "glorot_normal")


def make_model(keras, sparsity=0.7, keep=True):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 6)),
            keras.layers.Conv2D(
                40, 3, kernel_initializer="he_normal", name="convolution"
            ),
            keras.layers.BatchNormalization(name="normalization"),
            keras.layers.Flatten(),
            keras.layers.Dense(30, name="dense"),
            keras.layers.Dense(10, name="logits"),
        ]
    )
    options = tf_rigl.SparsifyOptions(keep_initial_values=keep)
    tf_rigl.sparsify(model, sparsity, options=options)
    for variable in model.weights:
        # As if it had been trained.
        variable.assign(np.asarray(variable) * 2 + 0.5)
    return model


def weights_of(model):
    walked = model_weights.walk_model(model)
    return {
        weight.path: np.array(weight.values())
        for weight in model_weights.model_weights(walked)
    }


def kernels(model):
    """Of each masked weight: initial values, mask, present values."""
    return [
        (
            np.array(record.state["initial_values"].numpy()),
            record.mask.numpy(),
            record.values().numpy(),
        )
        for record in masked_weights(model)
    ]


def assert_moments(values, mean, variance):
    """Within three standard deviations of the estimates."""
    error = np.sqrt(variance / values.size)
    assert abs(values.mean() - mean) < 3 * error
    # The variance of a squared normal value is twice the square.
    limit = 3 * np.sqrt(2 / values.size)
    assert abs(values.var() / variance - 1) < limit


def test_own_initializers_of_all_weights(keras):
    model = make_model(keras)
    before, masks = weights_of(model), tf_rigl.masks(model)

    assert tf_rigl.reinitialize(model, seed=1) is model

    after = weights_of(model)
    support.assert_same_masks(tf_rigl.masks(model), masks)
    for path, mask in masks.items():
        assert not np.any(after[path][~mask])
        assert not np.any(after[path][mask] == before[path][mask])
    convolution = after["convolution/kernel"]
    assert_moments(convolution[masks["convolution/kernel"]], 0, 2 / (9 * 6))
    limit = np.sqrt(6 / (1440 + 30))
    dense = after["dense/kernel"][masks["dense/kernel"]]
    assert_moments(dense, 0, limit**2 / 3)
    for name, value in (("gamma", 1), ("beta", 0), ("moving_variance", 1)):
        assert np.all(after[f"normalization/{name}"] == value)
    assert np.all(after["dense/bias"] == 0)


def test_a_seed_determines_all_values(keras):
    model = make_model(keras)
    one, again, other = (
        weights_of(tf_rigl.reinitialize(model, seed=seed)) for seed in (1, 1, 2)
    )
    support.assert_all_equal(list(one.values()), list(again.values()))
    for path in tf_rigl.masks(model):
        assert np.any(one[path] != other[path])
    # Weights of one shape have values of their own.
    twins = keras.Sequential(
        [keras.Input((4,)), *(keras.layers.Dense(4) for _ in range(2))]
    )
    tf_rigl.reinitialize(twins)
    first, second = (layer.get_weights()[0] for layer in twins.layers)
    assert np.any(first != second)


@support.keras_in_turn("how", HOWS)
def test_values_of_connections(keras, how):
    model = make_model(keras)
    others = {
        path: value
        for path, value in weights_of(model).items()
        if path not in tf_rigl.masks(model)
    }
    tf_rigl.reinitialize(model, how, seed=3)

    after = weights_of(model)
    for path, value in others.items():
        np.testing.assert_array_equal(after[path], value)
    fans = [(9 * 6, 9 * 40), (1440, 30), (30, 10)]
    for (initial, mask, values), (fan_in, fan_out) in zip(
        kernels(model), fans, strict=True
    ):
        assert not np.any(values[~mask])
        kept = values[mask]
        if how == "reshuffle":
            np.testing.assert_array_equal(np.sort(kept), np.sort(initial[mask]))
            assert np.mean(kept == initial[mask]) < 0.2
        elif how == "constant":
            deviation = np.float32(np.std(initial, dtype=np.float64))
            np.testing.assert_array_equal(np.abs(kept), deviation)
            assert np.sum(kept > 0) == np.sum(initial[mask] >= 0)
        elif how == "tickets":
            assert set(kept) < set(initial[mask])
        elif how == "signed_kaiming":
            value = np.float32(np.sqrt(2 / fan_in))
            np.testing.assert_array_equal(np.abs(kept), value)
            assert abs(np.mean(kept > 0) - 0.5) < 1.5 / np.sqrt(kept.size)
        elif how == "kaiming_normal":
            assert_moments(kept, 0, 2 / fan_in)
        else:
            assert_moments(kept, 0, 2 / (fan_in + fan_out))


@support.keras_in_turn("how", ["reinit", *HOWS])
def test_signs_that_are_kept(keras, how):
    model = make_model(keras)
    tf_rigl.reinitialize(model, how, keep_sign=True)
    for initial, mask, values in kernels(model):
        agree = np.where(initial < 0, -1, 1) == np.where(values < 0, -1, 1)
        assert np.all(agree[mask & (values != 0)])
        assert np.mean(values[mask] < 0) > 0.2


@support.one_keras("keras")
def test_values_are_equal_everywhere(keras):
    """Bit for bit, as an export of seed and masks alone needs it."""
    model = make_model(keras)
    sums = []
    for how in ("signed_kaiming", "kaiming_normal", "glorot_normal"):
        tf_rigl.reinitialize(model, how, seed=7)
        sums.append([int(v.view(np.int32).sum()) for *_, v in kernels(model)])
    assert sums == GOLDEN


@support.one_keras("tf_keras")
def test_given_initial_values(keras):
    model = make_model(keras, keep=False)
    start = tf_rigl.Snapshot.of(model)
    with pytest.raises(
        ValueError, match=r"none for 'convolution/kernel'.*Pass"
    ):
        tf_rigl.reinitialize(model, "reshuffle")
    tf_rigl.reinitialize(model, "reshuffle", initial=start)
    for path, mask in tf_rigl.masks(model).items():
        np.testing.assert_array_equal(
            np.sort(weights_of(model)[path][mask]),
            np.sort(start.weights[path][mask]),
        )


def test_models_without_masks_and_recurrent_ones(keras):
    model = keras.Sequential(
        [
            keras.Input((5, 8)),
            keras.layers.LSTM(12, name="lstm"),
            keras.layers.Dense(3),
        ]
    )
    for variable in model.weights:
        variable.assign(np.full(variable.shape, 9.0))
    tf_rigl.reinitialize(model)
    kernel, recurrent, bias = model.layers[0].get_weights()
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 12))
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(12), atol=1e-5)
    assert np.abs(kernel).max() < np.sqrt(6 / (8 + 48))
    with pytest.raises(ValueError, match="has no masked ones"):
        tf_rigl.reinitialize(model, "reshuffle")


@support.one_keras("keras")
def test_a_shrunk_model_from_scratch(keras):
    model = make_model(keras, sparsity=0.97)
    small = tf_rigl.shrink(tf_rigl.strip(model)).model
    before = small.get_weights()
    tf_rigl.reinitialize(small, seed=1)
    for one, other in zip(before, small.get_weights(), strict=True):
        assert one.shape == other.shape
    assert np.any(before[0] != small.get_weights()[0])


def test_initializers_with_a_seed_of_their_own(keras):
    layer = keras.layers.Dense(
        20, kernel_initializer=keras.initializers.GlorotUniform(seed=5)
    )
    model = keras.Sequential([keras.Input((20,)), layer])
    before = layer.get_weights()[0]
    tf_rigl.reinitialize(model)
    assert not np.any(before == layer.get_weights()[0])


def test_errors(keras):
    with pytest.raises(ValueError, match="`how` must be one of"):
        tf_rigl.reinitialize(make_model(keras), "xavier")
    with pytest.raises(TypeError, match="Keras"):
        tf_rigl.reinitialize(3)

    class Scale(keras.layers.Layer):
        def build(self, shape):
            self.scale = self.add_weight(name="scale", shape=(shape[-1],))

        def call(self, inputs):
            return inputs * self.scale

    model = keras.Sequential([keras.Input((3,)), Scale(name="own")])
    with pytest.raises(ValueError, match=r"Received: 'own/scale' of Scale"):
        tf_rigl.reinitialize(model)
