"""Channels that a batch normalization makes constant, in both Keras."""

import numpy as np
import pytest

from tests import support as training
from tests.surgery import support
from tests.surgery.shrink_test import close
from tests.surgery.shrink_test import shrink_alike
from tests.surgery.shrink_test import units_left
from tf_rigl.surgery.shrink import shrink

DEAD = [0, 3, 4, 7, 11, 15]


def set_to(layer, channels, **values):
    """Sets weights of a layer at some channels, such as `gamma=0.0`."""
    for name, value in values.items():
        variable = getattr(layer, name)
        array = np.array(variable)
        array[channels] = value
        variable.assign(array)


def network(keras, *head, **options):
    layers = keras.layers
    model = support.chain(
        keras,
        (8, 8, 3),
        layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv"),
        layers.BatchNormalization(name="bn", **options),
        layers.ReLU(),
        *head,
        layers.Dense(5, name="out"),
    )
    support.randomize(model)
    return model


# Convolution, normalization, classifier: 27·16 + 4·16 + 1,024·5 + 5 = 5,621,
# and with 10 of 16 channels 27·10 + 4·10 + 640·5 + 5 = 3,515.
@pytest.mark.parametrize("beta", [0.0, 0.7])
def test_a_scale_of_zero_leaves_the_constant_beta(keras, beta):
    model = network(keras, keras.layers.Flatten())
    set_to(model.get_layer("bn"), DEAD, gamma=0.0, beta=beta)
    small, report = shrink_alike(model, 1e-5)
    assert report.weights == model.count_params() == 5_621
    assert report.weights_left == small.count_params() == 3_515


@training.one_keras("tf_keras")
def test_pooled_positions(keras):
    """432 + 64 + 85 = 581 weights, of which 270 + 40 + 55 = 365 are left."""
    model = network(keras, keras.layers.GlobalAveragePooling2D())
    set_to(model.get_layer("bn"), DEAD, gamma=0.0)
    _, report = shrink_alike(model, 1e-5)
    assert (report.weights, report.weights_left) == (581, 365)


@training.one_keras("keras")
def test_a_shift_before_padding_keeps_the_channel(keras):
    """At the border of the next convolution, beta is not what it reads."""
    layers = keras.layers
    head = layers.Conv2D(4, 3, padding="same", name="next"), layers.Flatten()
    model = network(keras, *head)
    set_to(model.get_layer("bn"), DEAD, gamma=0.0, beta=0.0)
    set_to(model.get_layer("bn"), DEAD[:2], beta=0.4)
    # A ReLU makes a zero of it.
    set_to(model.get_layer("bn"), DEAD[2], beta=-0.4)
    _, report = shrink_alike(model, 1e-5)
    assert units_left(report) == {"conv": 16 - 4, "next": 4, "out": 5}
    kept = {row.path: row.kept for row in report.rows}
    assert kept["conv"] == ("constant, but next pads with zeros",)


@training.keras_in_turn("off", ["scale", "center", "scale center"])
def test_normalization_without_scale_or_shift(keras, off):
    """Constant inputs leave (0 − μ) γ / σ + β with γ = 1 or β = 0."""
    model = network(
        keras, keras.layers.Flatten(), **dict.fromkeys(off.split(), False)
    )
    support.erase(model.get_layer("conv"), DEAD[:4], "units")
    if off == "center":
        set_to(model.get_layer("bn"), DEAD[4:], gamma=0.0)
    _, report = shrink_alike(model, 1e-5)
    assert units_left(report)["conv"] == (10 if off == "center" else 12)


@training.one_keras("tf_keras")
def test_masked_and_cut_models_classify_alike(keras):
    model = network(keras, keras.layers.Flatten())
    set_to(model.get_layer("bn"), DEAD, gamma=0.0, beta=0.0)
    inputs = support.example(model, batch=64)
    expected = np.asarray(model(inputs))
    small, _ = shrink(model)
    outputs = np.asarray(small(inputs))
    close(outputs, expected, 1e-5)
    labels = expected.argmax(axis=1)
    assert len(set(labels)) > 1
    np.testing.assert_array_equal(outputs.argmax(axis=1), labels)
