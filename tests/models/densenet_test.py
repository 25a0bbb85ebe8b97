import keras as keras3
import numpy as np
import pytest

import tf_rigl
from tests.models import support
from tf_rigl.models import densenet


@pytest.mark.parametrize(
    ("classes", "parameters"),
    [
        (10, 1_059_298),
        pytest.param(100, 1_100_428, marks=pytest.mark.slow),
    ],
)
def test_parameters(classes, parameters):
    """Liu et al., arXiv:1708.06519, table 1: 1.02 M and 1.06 M of them."""
    model = densenet.densenet(keras3, classes=classes)
    assert model.name == "densenet_40_12"
    assert support.trainable_parameters(model) == parameters
    profile = tf_rigl.profile(model)
    assert profile.macs == 282_917_328 + (classes - 10) * 456
    assert profile.uncounted == ()


def test_layers(keras):
    """Channels grow by the same number from layer to layer, but not between."""
    model = densenet.densenet(keras, 10, 4, width=0.5, initialization=None)
    assert model.name == "densenet_10_4"
    channels = [
        layer.gamma.shape[0]
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert channels == [4, 6, 8, 8, 10, 12, 12, 14, 16]
    np.testing.assert_array_equal(model.get_layer("norm").gamma, 1)
    assert tuple(model.get_layer("norm").output.shape[1:3]) == (8, 8)
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    assert model(images).shape == (2, 10)
