import keras as keras3
import numpy as np
import pytest

import tf_rigl
from tests.models import support
from tf_rigl.models import preresnet


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "classes", "parameters"),
    [
        (101, 10, 1_054_106),
        (101, 100, 1_077_236),
        (164, 10, 1_703_258),
        (164, 100, 1_726_388),
    ],
)
def test_parameters(depth, classes, parameters):
    """Liu et al., arXiv:1708.06519, table 1, of 164: 1.70 M and 1.73 M."""
    model = preresnet.preresnet(keras3, depth, classes=classes)
    assert model.name == f"preresnet_{depth}"
    assert support.trainable_parameters(model) == parameters
    assert tf_rigl.profile(model).uncounted == ()


def test_layers(keras):
    model = preresnet.preresnet(keras, 20)
    # By hand: stem, three stages of two blocks, the last normalization, logits.
    blocks = 0
    for before, own in ((16, 16), (64, 32), (128, 64)):
        for inputs in (before, 4 * own):
            blocks += inputs * own + 9 * own**2 + 4 * own**2
            blocks += 2 * (inputs + 2 * own)
        blocks += before * 4 * own
    expected = 27 * 16 + blocks + 2 * 256 + 2570
    assert support.trainable_parameters(model) == expected

    # Neither shortcut is normalized; the first one of a stage is a layer.
    shortcuts = [one for one in model.layers if "downsample" in one.name]
    assert [one.strides for one in shortcuts] == [(1, 1), (2, 2), (2, 2)]
    assert (
        "Add" in type(model.get_layer("norm").input._keras_history[0]).__name__
    )
    gamma = model.get_layer("layer2_0_norm2").gamma
    np.testing.assert_array_equal(gamma, 0.5)
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    assert model(images).shape == (2, 10)


def test_given_widths(keras):
    widths = (8, *[3, 4, 8] * 1, *[5, 6, 12] * 1, *[7, 8, 16] * 1)
    model = preresnet.preresnet(
        keras, 11, widths=widths, width=2, initialization=None
    )
    names = ["conv1", "layer1_0_conv2", "layer2_0_conv1", "layer3_0_downsample"]
    filters = [model.get_layer(name).filters for name in names]
    assert filters == [16, 8, 10, 32]
    # Where channels and pixels stay, there is no layer in the shortcut.
    layers = [layer.name for layer in model.layers]
    assert "layer1_0_downsample" not in layers
    np.testing.assert_array_equal(model.get_layer("norm").gamma, 1)
