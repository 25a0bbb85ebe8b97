import keras as keras3
import numpy as np
import pytest

import tf_rigl
from tests.models import support
from tf_rigl.models import registry
from tf_rigl.models import vgg


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "parameters", "macs"),
    [
        (11, 132_863_336, 7_609_090_048),
        (13, 133_047_848, 11_308_466_176),
        (16, 138_357_544, 15_470_264_320),
        (19, 143_667_240, 19_632_062_464),
    ],
)
def test_published_networks(keras, depth, parameters, macs):
    """torchvision's: GFLOPS 7.609, 11.308, 15.47 and 19.632."""
    model = vgg.vgg(keras, depth)
    assert model.name == f"vgg_{depth}"
    assert model.count_params() == parameters
    assert tf_rigl.profile(model).macs == macs


def test_for_cifar():
    """The widely used 14,728,266, less the 4,224 biases before norms."""
    model = vgg.vgg(
        keras3, 16, (32, 32, 3), 10, hidden_units=(), batch_normalization=True
    )
    assert support.trainable_parameters(model) == 14_728_266 - 4_224
    profile = tf_rigl.profile(model)
    assert profile.macs == 313_201_664
    assert profile.uncounted == ()
    assert len(support.kernels(profile)) == 14


def test_vgg_19_for_cifar():
    """Liu et al., arXiv:1708.06519, table 1: 20.04 M and 7.97e8 FLOPs."""
    model = registry.builder("cifar_vgg_19")(
        keras3, kernel_initializer="glorot_normal"
    )
    assert support.trainable_parameters(model) == 20_035_018
    profile = tf_rigl.profile(model)
    assert profile.macs == 398_136_320
    *convolutions, logits = support.kernels(profile)
    assert sum(row.parameters for row in convolutions) == 20_018_880
    assert logits.parameters == 5_120
    assert tuple(model.get_layer("pool").input.shape[1:]) == (2, 2, 512)
    initializers = {
        type(layer.kernel_initializer).__name__
        for layer in model.layers
        if hasattr(layer, "kernel_initializer")
    }
    assert initializers == {"GlorotNormal"}


@pytest.mark.parametrize(
    ("name", "classes", "parameters", "macs"),
    [
        pytest.param(
            *("slimming_vgg_19", 100, 20_081_188, 398_182_400),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *("cifar_vgg_16", 10, 14_987_722, 313_463_808),
            marks=pytest.mark.slow,
        ),
        ("vgg_16_a", 10, 5_397_034, 206_279_680),
    ],
)
def test_networks_that_were_pruned(name, classes, parameters, macs):
    """Liu et al., arXiv:1708.06519, and Li et al., arXiv:1608.08710."""
    model = registry.builder(name)(keras3, classes=classes)
    assert model.name == name
    assert support.trainable_parameters(model) == parameters
    profile = tf_rigl.profile(model)
    assert profile.macs == macs
    assert profile.uncounted == ()


def test_vgg_19_that_network_slimming_found():
    """The numbers of a run at 70 % that its author printed, with 1 for 0.

    github.com/Eric-mingjie/rethinking-network-pruning, issue 50.
    """
    widths = (
        *(45, 64, 128, 128, 256, 256, 249, 184),
        *(36, 6, 2, 1, 1, 1, 5, 292),
    )
    model = registry.builder("slimming_vgg_19")(keras3, widths=widths)
    assert support.trainable_parameters(model) == 2_200_222


def test_initial_values_of_slimming(keras):
    model = registry.builder("slimming_vgg_11")(keras, width=0.25)
    kernel = np.asarray(model.get_layer("conv5_2").kernel)
    assert kernel.std() == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.01)
    # Not truncated at two standard deviations.
    assert np.abs(kernel).max() > 4 * kernel.std()
    logits = np.asarray(model.get_layer("logits").kernel)
    assert logits.std() == pytest.approx(0.01, rel=0.1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            np.testing.assert_array_equal(layer.gamma, 0.5)
            np.testing.assert_array_equal(layer.beta, 0)


def test_given_widths_and_normalized_hidden_layers(keras):
    model = vgg.vgg(
        keras,
        11,
        (32, 32, 3),
        7,
        hidden_units=(20,),
        batch_normalization=True,
        widths=(8, 9, 10, 11, 12, 13, 14, 15),
        normalize_hidden=True,
    )
    assert [
        layer.filters
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    ] == list(range(8, 16))
    assert tuple(model.get_layer("fc1_norm").gamma.shape) == (20,)
    # ReLU comes behind the normalization.
    linear = keras.Model(model.input, model.get_layer("fc1").output)
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    assert np.min(linear(images)) < 0


def test_layers(keras):
    model = vgg.vgg(
        keras, 11, (64, 32, 3), 7, hidden_units=(20, 10), width=1 / 16
    )
    convolutions = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert [layer.filters for layer in convolutions] == [
        *(4, 8, 16, 16),
        *(32, 32, 32, 32),
    ]
    assert all(layer.use_bias for layer in convolutions)
    assert [model.get_layer(name).units for name in ("fc1", "fc2")] == [1, 1]

    # Positions stay apart where hidden layers follow.
    assert tuple(model.get_layer("fc1").kernel.shape) == (2 * 32, 1)
    images = np.random.default_rng(0).random((2, 64, 32, 3), np.float32)
    assert model(images).shape == (2, 7)
