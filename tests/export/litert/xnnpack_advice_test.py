import keras
import numpy as np
import pytest
from keras import layers

from tests.export.support import build_pictures as build
from tests.export.support import picture_stem as stem
from tf_rigl.export.litert.xnnpack import check_xnnpack


def strided(size=3):
    """Returns the layers that are advised where something strides."""
    return [
        layers.ZeroPadding2D(size // 2),
        layers.DepthwiseConv2D(size, strides=2),
    ]


def separable(size, filters=8):
    return [
        layers.DepthwiseConv2D(size, padding="same"),
        layers.Conv2D(filters, 1),
    ]


def advice():
    """Lists problems: what has each, the advice, and what follows it."""
    return [
        (
            "a 3×3 convolution of 16 channels with strides (1, 1)",
            layers.Conv2D(8, 3, padding="same"),
            "Use DepthwiseConv2D(3, padding='same') and Conv2D(filters, 1)",
            separable(3),
        ),
        (
            "a 5×5 convolution of 8 channels with strides (1, 1)",
            layers.Conv2D(8, 5, padding="same"),
            "Use DepthwiseConv2D(5, padding='same') and Conv2D(filters, 1)",
            separable(5),
        ),
        (
            "a 7×7 convolution of 8 channels with strides (2, 2)",
            layers.Conv2D(8, 7, 2, padding="same"),
            "Use ZeroPadding2D(2), DepthwiseConv2D(5, strides=2) and",
            [*strided(5), layers.Conv2D(8, 1)],
        ),
        (
            "a 1×1 convolution with strides (2, 2)",
            layers.Conv2D(8, 1, 2),
            "Leave them out, and put ZeroPadding2D(1) and DepthwiseConv2D(3",
            [*strided(), layers.Conv2D(8, 1)],
        ),
        (
            "it has groups",
            layers.Conv2D(8, 1, groups=2),
            "Leave out `groups`",
            [layers.Conv2D(8, 1)],
        ),
        (
            "a depthwise 7×7 convolution",
            layers.DepthwiseConv2D(7, padding="same"),
            "Use DepthwiseConv2D(3) or DepthwiseConv2D(5) with strides 1 or 2",
            [layers.DepthwiseConv2D(5, padding="same")],
        ),
        (
            "its padding is 'same'",
            layers.DepthwiseConv2D(3, 2, "same"),
            "Put ZeroPadding2D(1) and no other padding before it and",
            strided(),
        ),
        (
            "its padding is (0, 0), (0, 0)",
            layers.DepthwiseConv2D(3),
            "Put ZeroPadding2D(1) and no other padding before it and",
            [layers.ZeroPadding2D(1), layers.DepthwiseConv2D(3)],
        ),
        (
            "it has a depth multiplier",
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
            "Use depth_multiplier=1",
            [layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1)],
        ),
        (
            "MAX_POOL_2D has no sparse kernel",
            layers.MaxPooling2D(1, padding="same"),
            "Use ZeroPadding2D(1) and DepthwiseConv2D(3, strides=2) instead",
            strided(),
        ),
        (
            "PAD has no sparse kernel",
            layers.ZeroPadding2D(3),
            "Put ZeroPadding2D right before a convolution",
            [layers.ZeroPadding2D(1), layers.DepthwiseConv2D(3)],
        ),
        (
            "AVERAGE_POOL_2D has no sparse kernel",
            layers.AveragePooling2D(2),
            "Use ZeroPadding2D(1) and DepthwiseConv2D(3, strides=2) instead",
            strided(),
        ),
        (
            "SPACE_TO_BATCH_ND has no sparse kernel",
            layers.DepthwiseConv2D(3, padding="same", dilation_rate=2),
            "Use dilation_rate=1",
            [layers.DepthwiseConv2D(3, padding="same", dilation_rate=1)],
        ),
        (
            "GELU has no sparse kernel",
            layers.Activation("gelu"),
            "Use 'relu', 'relu6' or 'hard_swish'",
            [layers.Activation("hard_swish")],
        ),
        (
            "PRELU has no sparse kernel",
            layers.PReLU(shared_axes=[1, 2]),
            "Use 'relu', 'relu6' or 'hard_swish'",
            [layers.Activation("relu6")],
        ),
        (
            "a mean over the axes [-1]",
            layers.LayerNormalization(),
            "Use GlobalAveragePooling2D to average, and BatchNormalization to",
            [layers.BatchNormalization()],
        ),
    ]


def test_all_problems_are_found_at_once():
    listed = advice()
    report = check_xnnpack(build(*(one for _, one, _, _ in listed)))
    broken = {row.name: row for row in report.rows if row.problem}
    assert not report.fits
    found = [str(row) for row in report.rows if row.problem]
    found = list(dict.fromkeys(found))  # A layer may break a rule twice.
    assert list(report.problems[: len(found)]) == found
    # By the names that the layers have in the model.
    before = ""
    for problem, layer, fix, _ in listed:
        name = layer.name
        if getattr(layer, "groups", 1) > 1:
            # Keras computes it in a function, and the converter forgets where.
            name = f"behind {before}"
        before = layer.name
        assert name in broken
        assert any(
            line.startswith(f"{name} (")
            and f"): {problem}" in line
            and f". {fix}" in line
            for line in found
        ), (problem, found)
    # What stands before is right, and what is behind too.
    inside = [row.in_region for row in report.rows]
    assert all(inside)
    assert not any(row.problem for row in report.rows[:2])


def test_following_all_advice_helps():
    followed = [one for _, _, _, good in advice() for one in good]
    report = check_xnnpack(build(*followed))
    assert report.fits, report


@pytest.mark.parametrize(
    ("bad", "problem", "fix", "good"),
    [
        pytest.param(
            lambda x: layers.GlobalMaxPooling2D()(x),
            "REDUCE_MAX has no sparse kernel",
            "Use GlobalAveragePooling2D instead",
            lambda x: layers.GlobalAveragePooling2D()(x),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda x: layers.Flatten()(x),
            "RESHAPE has no sparse kernel",
            "Use GlobalAveragePooling2D in place of Flatten",
            lambda x: layers.GlobalAveragePooling2D()(x),
            marks=pytest.mark.slow,
        ),
        (
            lambda x: layers.Dense(8)(x),
            "a Dense layer of feature maps has no sparse kernel",
            "Use Conv2D(units, 1) instead, or put GlobalAveragePooling2D",
            lambda x: layers.Conv2D(8, 1)(x),
        ),
        pytest.param(
            lambda x: layers.Concatenate()([x, layers.Conv2D(8, 1)(x)]),
            "CONCATENATION has no sparse kernel",
            "Use Add instead, of outputs of as many channels",
            lambda x: layers.Add()([x, layers.Conv2D(16, 1)(x)]),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda x: x + np.ones((32, 32, 16), "float32"),
            "a constant operand of shape",
            "Use a scalar or a vector of the channels",
            lambda x: x + np.ones(16, "float32"),
            marks=pytest.mark.slow,
        ),
        (
            lambda x: x * layers.GlobalAveragePooling2D(keepdims=True)(x),
            "it takes what is computed outside of the region",
            "Leave out what is computed behind an average",
            lambda x: x,
        ),
    ],
    ids=["maximum", "flatten", "dense", "concatenate", "constant", "excite"],
)
def test_advice_behind_the_first_layers(bad, problem, fix, good):
    def check(make):
        images = keras.Input((64, 64, 3))
        features = images
        for layer in stem():
            features = layer(features)
        features = make(features)
        if len(features.shape) == 4:
            features = layers.GlobalAveragePooling2D()(features)
        return check_xnnpack(keras.Model(images, layers.Dense(4)(features)))

    report = check(bad)
    line = next(line for line in report.problems if problem in line)
    assert fix in line
    assert sum(problem in line for line in report.problems) == 1
    assert check(good).fits


@pytest.mark.slow
def test_advice_for_one_batch_size():
    """Transposed convolutions read the shape of their inputs."""
    layer = layers.Conv2DTranspose(8, 3, 2, padding="same", name="up")
    report = check_xnnpack(build(layer))
    line = next(
        line for line in report.problems if line.startswith("up (SHAPE")
    )
    assert "Pass batch_size=1, to `export_litert` too" in line
    report = check_xnnpack(build(layer), batch_size=1)
    line = report.first_problem
    assert line.startswith("up (TRANSPOSE_CONV)")
    assert "Use UpSampling2D(interpolation='bilinear') and Conv2D(fi" in line
    better = [
        layers.UpSampling2D(interpolation="bilinear"),
        layers.Conv2D(8, 1),
    ]
    assert check_xnnpack(build(*better)).fits


def test_models_without_pictures():
    model = keras.Sequential([keras.Input((9,)), layers.Dense(8, name="only")])
    report = check_xnnpack(model)
    (problem,) = report.problems
    assert "No layer is a convolution" in problem
    assert "export it with quantization='full_int8'" in problem
    assert [row.name for row in report.rows] == ["only"]
    model = build(first=[layers.ZeroPadding2D(1), layers.Conv2D(8, 3, 2)])
    model = keras.Model(model.input, model.layers[-2].output)
    (problem,) = check_xnnpack(model).problems
    assert "Use Conv2D(filters, 1) behind the first convolution" in problem


@pytest.mark.slow
def test_first_convolution():
    convolution = layers.Conv2D(8, 3, 1, padding="same")
    report = check_xnnpack(build(first=[convolution]))
    begin = "Begin with ZeroPadding2D(1) and Conv2D(filters, 3, strides=2) on"
    assert "a 3×3 convolution of 3 channels with strides (1, 1)" in (
        report.first_problem
    )
    assert begin in report.first_problem
    report = check_xnnpack(build(first=[layers.Conv2D(8, 1)]))
    assert "the graph begins with it" in report.first_problem
    assert begin in report.first_problem
    again = [layers.ZeroPadding2D(1), layers.Conv2D(8, 3, 2)]
    report = check_xnnpack(build(layers.Conv2D(3, 1), *again))
    assert "a 3×3 convolution behind the first" in report.first_problem
    better = [layers.Conv2D(3, 1), *strided(), layers.Conv2D(8, 1)]
    assert check_xnnpack(build(*better)).fits
