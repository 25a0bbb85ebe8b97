import keras as keras3
import numpy as np
import pytest
import tf_keras

import tf_rigl
from tests.models import support
from tf_rigl.accounting import micronet
from tf_rigl.accounting import training_flops
from tf_rigl.models import resnet

# google-research/rigl by the rule of the MicroNet challenge, as the notebooks
# of SRigL print it: GFLOPs, and megabytes with bit masks.
GIGAFLOPS = {0: 8.189482, 0.8: 3.395292, 0.9: 1.988961}
MEGABYTES = {0: 102.122, 0.8: 23.684, 0.9: 13.499}
# What fvcore counts there.
MACS = {0: 4_089_184_256, 0.8: 1.692089e9, 0.9: 0.9889238e9}

# Sparsity of each kernel by its shape, at 80 and at 90 %. ERK depends on the
# shape alone.
ERK = {
    (7, 7, 3, 64): (0.143, 0.580),
    (1, 1, 64, 64): (0, 0),
    (1, 1, 64, 256): (0, 0.041),
    (1, 1, 256, 64): (0, 0.041),
    (3, 3, 64, 64): (0.638, 0.823),
    (1, 1, 256, 128): (0, 0.425),
    (3, 3, 128, 128): (0.823, 0.913),
    (1, 1, 128, 512): (0.025, 0.522),
    (1, 1, 512, 128): (0.025, 0.522),
    (1, 1, 256, 512): (0.415, 0.713),
    (1, 1, 512, 256): (0.415, 0.713),
    (3, 3, 256, 256): (0.913, 0.957),
    (1, 1, 256, 1024): (0.513, 0.761),
    (1, 1, 1024, 256): (0.513, 0.761),
    (1, 1, 512, 1024): (0.708, 0.857),
    (1, 1, 1024, 512): (0.708, 0.857),
    (3, 3, 512, 512): (0.957, 0.979),
    (1, 1, 512, 2048): (0.757, 0.881),
    (1, 1, 2048, 512): (0.757, 0.881),
    (1, 1, 1024, 2048): (0.854, 0.928),
    (2048, 1000): (0.852, 0.927),
}


@pytest.fixture(
    name="resnet_50",
    scope="module",
    params=[keras3, pytest.param(tf_keras, marks=pytest.mark.slow)],
    ids=["keras", "tf_keras"],
)
def resnet_50_fixture(request):
    return resnet.resnet(request.param)


def tiny(keras, depth=50, **arguments):
    arguments = {"input_shape": (32, 32, 3), "classes": 7, **arguments}
    return resnet.resnet(keras, depth, width=1 / 16, **arguments)


def test_resnet_50_is_the_published_one(resnet_50):
    profile = tf_rigl.profile(resnet_50)
    rows = support.kernels(profile)
    assert len(rows) == 54
    assert sum(row.parameters for row in rows) == 25_502_912
    assert support.trainable_parameters(resnet_50) == 25_557_032
    assert profile.macs == MACS[0]
    assert profile.uncounted == ()
    counts = micronet(profile)
    assert counts.parameters == 25_530_472
    assert round(counts.flops / 1e9, 6) == GIGAFLOPS[0]
    assert round(counts.bytes / 1e6, 3) == MEGABYTES[0]


@pytest.mark.parametrize(
    ("sparsity", "share"),
    [pytest.param(0.8, 0.4146, marks=pytest.mark.slow), (0.9, 0.2429)],
)
def test_erk_costs_what_is_published(resnet_50, sparsity, share):
    profile = tf_rigl.profile(tf_rigl.sparsify(resnet_50, sparsity))
    tf_rigl.strip(resnet_50)  # For the next sparsity.
    counts = micronet(profile)
    flops = counts.flops / 1e9
    assert flops == pytest.approx(GIGAFLOPS[sparsity], rel=1e-4)
    assert flops / GIGAFLOPS[0] == pytest.approx(share, abs=1e-4)
    assert counts.bytes / 1e6 == pytest.approx(MEGABYTES[sparsity], abs=1e-3)
    assert counts.dense_bytes / 1e6 == pytest.approx(MEGABYTES[0], abs=1e-3)
    assert profile.macs == pytest.approx(MACS[sparsity], rel=1e-4)
    assert profile.dense_macs == MACS[0]
    column = [0.8, 0.9].index(sparsity)
    found = {row.shape: row.sparsity for row in support.kernels(profile)}
    expected = {shape: row[column] for shape, row in ERK.items()}
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("sparsity", "inference", "training"),
    [
        (0.8, 0.2241, 0.23),
        pytest.param(0.9, 0.1272, 0.13, marks=pytest.mark.slow),
    ],
)
def test_uniform_costs_what_is_published(
    resnet_50, sparsity, inference, training
):
    """The published share is that of training, inference is a bit below."""
    tf_rigl.sparsify(
        resnet_50,
        sparsity,
        tf_rigl.Uniform(budget="reference"),
        dense=["conv1"],
    )
    flops = micronet(tf_rigl.profile(resnet_50)).flops / 1e9
    tf_rigl.strip(resnet_50)
    assert flops / GIGAFLOPS[0] == pytest.approx(inference, abs=1e-4)
    share = training_flops("rigl", flops, GIGAFLOPS[0])
    share /= training_flops("dense", flops, GIGAFLOPS[0])
    assert round(share, 2) == training


def test_version_and_initial_values(resnet_50):
    strides = [
        resnet_50.get_layer(f"layer2_0_conv{number}").strides
        for number in (1, 2, 3)
    ]
    assert strides == [(1, 1), (2, 2), (1, 1)]

    norms = {
        layer.name: layer
        for layer in resnet_50.layers
        if layer.name.endswith("norm")
    }
    assert len(norms) == 53
    assert {(n.momentum, n.epsilon) for n in norms.values()} == {(0.9, 1e-5)}
    for name, norm in norms.items():
        ends_a_block = name.endswith("conv3_norm")
        np.testing.assert_array_equal(norm.gamma, float(not ends_a_block))
    initializer = resnet_50.get_layer("logits").kernel_initializer
    assert initializer.stddev == 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    ("depth", "parameters", "macs"),
    [
        (18, 11_689_512, 1_814_073_344),
        (34, 21_797_672, 3_663_761_408),
        (101, 44_549_160, 7_801_405_440),
    ],
)
def test_other_depths(keras, depth, parameters, macs):
    """Counts of torchvision's networks, GFLOPS 1.814, 3.664 and 7.801."""
    model = resnet.resnet(keras, depth)
    assert model.name == f"resnet_{depth}"
    assert support.trainable_parameters(model) == parameters
    assert tf_rigl.profile(model).macs == macs


def test_small_images(keras):
    model = resnet.resnet(keras, 18, (32, 32, 3), 10, small_images=True)
    assert support.trainable_parameters(model) == 11_173_962
    assert tuple(model.get_layer("layer4_1_conv2").output.shape[1:3]) == (4, 4)


@pytest.mark.parametrize(
    ("depth", "weights", "macs"),
    [
        (8, 77_360, 12_501_632),
        (20, 270_896, 40_813_184),
        pytest.param(32, 464_432, 69_124_736, marks=pytest.mark.slow),
        pytest.param(56, 851_504, 125_747_840, marks=pytest.mark.slow),
    ],
)
def test_networks_for_small_images(depth, weights, macs):
    """Published of ResNet-20: 0.27 M parameters, 41 M multiply-adds."""
    model = resnet.small_resnet(keras3, depth)
    assert model.name == f"resnet_{depth}"
    profile = tf_rigl.profile(model)
    assert profile.macs == macs
    assert profile.uncounted == ()
    found = {row.path: row.parameters for row in support.kernels(profile)}
    assert sum(found.values()) == weights
    assert found["logits/kernel"] == 640
    projections = [one for path, one in found.items() if "downsample" in path]
    assert projections == [512, 2048]


@pytest.mark.parametrize(
    ("depth", "parameters", "macs"),
    [
        (8, 75_290, 12_239_488),
        pytest.param(56, 853_018, 125_485_696, marks=pytest.mark.slow),
        pytest.param(110, 1_727_962, 252_887_680, marks=pytest.mark.slow),
    ],
)
def test_shortcuts_without_parameters(depth, parameters, macs):
    """Published of 56 and 110: 8.5e5, 1.72e6; 1.25e8, 2.53e8."""
    model = resnet.small_resnet(keras3, depth, shortcuts="padding")
    assert support.trainable_parameters(model) == parameters
    profile = tf_rigl.profile(model)
    assert profile.macs == macs
    assert profile.uncounted == ()


def test_what_shortcuts_pad(keras, tmp_path):
    """Means of 2×2 pixels, then channels of zeros; saved and loaded."""
    widths = (4, 5, 4, 6, 8, 7, 24)
    model = resnet.small_resnet(keras, 8, shortcuts="padding", widths=widths)
    model.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")

    for stage, times in ((2, 2), (3, 3)):
        begin = model.get_layer(f"layer{stage}_0_pool").input
        end = model.get_layer(f"layer{stage}_0_padded").output
        inputs = np.random.default_rng(0).random(
            (1, *begin.shape[1:]), np.float32
        )
        outputs = np.asarray(keras.Model(begin, end)(inputs))
        _, height, width, channels = inputs.shape
        assert outputs.shape == (1, height // 2, width // 2, times * channels)
        blocks = inputs.reshape((1, height // 2, 2, width // 2, 2, channels))
        means = blocks.mean((2, 4))
        np.testing.assert_allclose(outputs[..., :channels], means, rtol=1e-6)
        assert not outputs[..., channels:].any()


def test_given_widths(keras):
    widths = (8, 3, 8, 5, 10, 7, 12)
    model = resnet.small_resnet(keras, 8, widths=widths, width=2)
    filters = [
        layer.filters
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
        and "downsample" not in layer.name
    ]
    assert filters == [2 * one for one in widths]


def test_given_widths_of_bottlenecks():
    bottlenecks = [64, *[8, 9, 32] * 3, *[8, 9, 40] * 4]
    bottlenecks += [*[8, 9, 48] * 6, *[8, 9, 56] * 3]
    model = resnet.resnet(keras3, 50, (32, 32, 3), 7, widths=bottlenecks)
    assert model.get_layer("conv1").filters == 64
    assert model.get_layer("layer4_2_conv2").filters == 9
    assert model.get_layer("layer4_0_downsample").filters == 56


def test_layers_for_small_images(keras):
    model = resnet.small_resnet(keras, 8, classes=7, width=0.5)
    names = ["conv1", "layer1_0_conv2", "layer2_0_conv1", "layer3_0_downsample"]
    filters = [model.get_layer(name).filters for name in names]
    assert filters == [8, 8, 16, 32]
    gamma = model.get_layer("layer3_0_conv2_norm").gamma
    np.testing.assert_array_equal(gamma, 1)
    initializers = {
        type(layer.kernel_initializer).__name__
        for layer in model.layers
        if hasattr(layer, "kernel_initializer")
    }
    assert initializers == {"HeNormal"}
    images = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    assert model(images).shape == (2, 7)


def test_blocks_begin_as_their_shortcuts(keras):
    """The scale of each last normalization is 0."""
    model = tiny(keras, 18)
    assert model.get_layer("layer4_1_conv2").filters == 512 // 16
    last = [layer for layer in model.layers if "Add" in type(layer).__name__]
    ends = keras.Model(model.input, [layer.output for layer in last])
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3))
    first, second, *_ = ends(images.astype(np.float32))
    np.testing.assert_array_equal(second, np.maximum(first, 0))
    assert np.max(second) > 0
    logits = model(images.astype(np.float32))
    assert logits.shape == (2, 7)


def test_padding_is_the_same_on_both_sides(keras):
    model = tiny(keras, 18)
    convolution = model.get_layer("conv1")
    until_there = keras.Model(model.input, convolution.output)
    impulse = np.zeros((1, 32, 32, 3), np.float32)
    impulse[0, 0, 0, 1] = 1
    found = np.asarray(until_there(impulse))[0, 0, 0]
    middle = np.asarray(convolution.kernel)[3, 3, 1]
    np.testing.assert_allclose(found, middle, rtol=1e-6)


# Width multipliers of the small dense networks that google-research/rigl
# compares with, of the size of networks at 90, 95 and 96.5 % ERK.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "megabytes"), [(0.34, 13.499), (0.26, 8.399), (0.231, 6.869)]
)
def test_published_widths(width, megabytes):
    profile = tf_rigl.profile(resnet.resnet(keras3, width=width))
    found = micronet(profile).bytes / 1e6
    assert found == pytest.approx(megabytes, rel=0.02)
