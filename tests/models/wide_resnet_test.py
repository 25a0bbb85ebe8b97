import keras as keras3
import numpy as np
import pytest

import tf_rigl
from tests.models import support
from tf_rigl.models import wide_resnet


@pytest.mark.parametrize(
    ("depth", "widening", "parameters"),
    [
        # Zagoruyko and Komodakis, table 4: 0.6, 8.9, 11.0 and 36.5 M.
        (40, 1, 563_930),
        pytest.param(40, 4, 8_949_210, marks=pytest.mark.slow),
        (16, 8, 10_961_370),
        (28, 10, 36_479_194),
    ],
)
def test_parameters(depth, widening, parameters):
    model = wide_resnet.wide_resnet(keras3, depth, widening)
    assert model.name == f"wrn_{depth}_{widening}"
    assert support.trainable_parameters(model) == parameters


def test_wrn_22_2(keras):
    model = wide_resnet.wide_resnet(keras)
    profile = tf_rigl.profile(model)
    rows = support.kernels(profile)
    assert sum(row.parameters for row in rows) == 1_076_912
    assert profile.macs == 157_730_048
    assert profile.uncounted == ()

    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    assert model(images).shape == (2, 10)

    norms = [
        (layer.momentum, layer.epsilon)
        for layer in model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert norms == [(0.9, 1e-5)] * 19
    rates = [
        layer.rate
        for layer in model.layers
        if isinstance(layer, keras.layers.Dropout)
    ]
    assert rates == [0.3] * 9


@pytest.mark.parametrize(
    ("distribution", "dense", "share"),
    [
        (tf_rigl.ERK, (), 0.35),
        pytest.param(tf_rigl.Uniform, ["conv1"], 0.20, marks=pytest.mark.slow),
    ],
)
def test_published_share_at_80_percent(distribution, dense, share):
    """Sundar and Dwaraknath, arXiv:2103.15767: test FLOPs."""
    model = wide_resnet.wide_resnet(keras3)
    tf_rigl.sparsify(model, 0.8, distribution(budget="reference"), dense=dense)
    profile = tf_rigl.profile(model)
    assert round(profile.flops / profile.dense_flops, 2) == share


def test_shortcut_takes_normalized_features(keras):
    """Only the first block of a group has one, behind the first norm."""
    model = wide_resnet.wide_resnet(keras, 16, 2)
    shortcuts = [
        layer for layer in model.layers if layer.name.endswith("shortcut")
    ]
    assert [layer.name[:8] for layer in shortcuts] == [
        "group1_0",
        "group2_0",
        "group3_0",
    ]
    first = model.get_layer("group2_0_conv1").input
    assert model.get_layer("group2_0_shortcut").input is first


def test_width(keras):
    model = wide_resnet.wide_resnet(keras, 16, 2, width=0.25)
    names = ["conv1", "group1_0_conv1", "group3_1_conv2"]
    assert [model.get_layer(name).filters for name in names] == [4, 8, 32]
    narrowest = wide_resnet.wide_resnet(keras, 10, 1, width=0.001)
    assert narrowest.get_layer("conv1").filters == 1
