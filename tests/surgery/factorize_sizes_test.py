"""Factorized networks have the sizes that are published."""

import math

import pytest

import tf_rigl
from tests import support
from tf_rigl.models import registry
from tf_rigl.models import resnet


def trained(model):
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


@support.one_keras("keras")
@pytest.mark.parametrize(
    ("rank_scale", "parameters"),
    [
        (0.111, 63_850),
        pytest.param(0.2222, 126_922, marks=pytest.mark.slow),
        pytest.param(0.333, 188_314, marks=pytest.mark.slow),
    ],
)
def test_resnet_20_has_the_published_sizes(keras, rank_scale, parameters):
    model = resnet.small_resnet(keras, 20, shortcuts="padding")
    assert trained(model) == 269_722
    blocks = [
        layer.name
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D) and "_conv" in layer.name
    ]
    tf_rigl.factorize(model, rank_scale=rank_scale, layers=blocks)
    assert trained(model) == parameters


# Of ResNet-32 with 64, 128 and 256 filters and of VGG-19.
REFERENCE_SIZES = [
    ("resnet_32", 0.02, 150_090),
    ("resnet_32", 0.05, 373_194),
    ("resnet_32", 0.1, 743_370),
    ("vgg_19", 0.02, 397_642),
    ("vgg_19", 0.05, 992_650),
    ("vgg_19", 0.1, 1_996_618),
]


@support.keras_in_turn(
    "case", REFERENCE_SIZES, lambda case: case != REFERENCE_SIZES[0]
)
def test_the_published_sizes_by_ratio(keras, case):
    """With `preset="reference"`, some of them above the ratio."""
    name, ratio, parameters = case
    if name == "resnet_32":
        model = resnet.small_resnet(keras, 32, width=4)
        assert trained(model) == 7_427_914
    else:
        model = registry.builder("slimming_vgg_19")(
            keras, input_shape=(32, 32, 3), classes=10
        )
        assert trained(model) == 20_035_018
    kernels = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    tf_rigl.factorize(
        model,
        ratio=ratio,
        layers=kernels[1:],
        initialization="plain",
        preset="reference",
    )
    assert trained(model) == parameters


@support.one_keras("keras")
def test_the_reference_leaves_nothing_alone(keras):
    """Factors may be larger than their kernel, and 1×1 kernels are spatial."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 6)),
            layers.Conv2D(12, 1, name="one"),
            layers.Conv2D(4, 3, name="three"),
        ]
    )
    tf_rigl.factorize(model, rank_scale=0.5, preset="reference")
    rows = tf_rigl.ranks(model).rows
    assert [(row.form, row.rank) for row in rows] == [
        ("spatial", 6),
        ("spatial", 6),
    ]
    assert [row.weights_left > row.weights for row in rows] == [True, False]
