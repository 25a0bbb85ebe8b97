import keras
import numpy as np
import pytest
from keras import layers

import tf_rigl
from tests.export import support
from tests.export.support import build_pictures as build
from tests.export.support import picture_stem as stem
from tests.support import in_turn
from tests.support import one_keras
from tf_rigl.export.litert.export import export_litert
from tf_rigl.export.litert.xnnpack import check_xnnpack
from tf_rigl.models import mobilenet


@pytest.mark.parametrize(
    ("build", "keras"),
    in_turn([mobilenet.mobilenet_v1], is_slow=lambda build: True),
    indirect=["keras"],
)
def test_sparse_mobilenet_fits(build, keras):
    model = build(keras, (64, 64, 3), 10, width=0.25, sparse_inference=True)
    report = check_xnnpack(model)
    assert report.fits
    assert not report.sparse_enough
    assert not report.runs_sparse
    # 13 convolutions and the head.
    assert sum(row.weights > 0 for row in report.rows) == 14
    assert report.weights == sum(
        int(np.prod(one.shape))
        for one in model.trainable_weights
        if tuple(one.shape[:2]) == (1, 1) or len(one.shape) == 2
    )

    (problem,) = report.problems
    assert problem.endswith(
        f"0 of {report.weights:,} are zero; more than two thirds must be. "
        "Train the model sparse: tf_rigl.sparsify(model, 0.8, 'uniform')."
    )


def test_files(tmp_path):
    model = build(layers.Conv2D(192, 1))
    tf_rigl.sparsify(model, 0.9)
    report = check_xnnpack(model)
    assert report.runs_sparse
    assert report.problems == ()

    for quantization in ("float32", "float16"):
        path = tmp_path / quantization
        export_litert(model, path, quantization)
        of_file = check_xnnpack(path)
        assert of_file.runs_sparse
        assert of_file.weights == report.weights
        assert of_file.zeros == report.zeros
        assert [row.operation for row in of_file.rows] == [
            row.operation for row in report.rows
        ]
        assert "XNNPACK runs it sparse: yes" in str(of_file)

    options = tf_rigl.LiteRTOptions(sparse=False)
    export_litert(model, tmp_path / "dense", options=options)
    of_file = check_xnnpack((tmp_path / "dense").read_bytes())
    assert of_file.fits
    assert of_file.zeros == report.zeros
    assert not of_file.runs_sparse
    assert "No float weight is stored sparse" in of_file.first_problem

    with support.expect_slow("dynamic_int8"):
        export_litert(model, tmp_path / "int8", "dynamic_int8")
    of_file = check_xnnpack(tmp_path / "int8")
    assert not of_file.fits
    assert "its weights are int8. Export" in of_file.first_problem


@pytest.mark.slow
def test_inverted_residuals_fit():
    model = mobilenet.mobilenet_v2(
        keras, (64, 64, 3), 10, width=0.35, sparse_inference=True
    )
    assert check_xnnpack(model).fits


@pytest.mark.slow
def test_published_mobilenet_does_not_fit():
    model = keras.applications.MobileNet((64, 64, 3), 0.25, weights=None)
    report = check_xnnpack(model)
    broken = [row.name for row in report.rows if row.problem]
    names = (
        *("conv1", "conv_dw_2", "conv_dw_4", "conv_dw_6", "conv_dw_12"),
        "conv_preds",
    )
    assert len(broken) == 6
    assert broken == list(names)
    assert "conv1" in report.first_problem
    assert "Put ZeroPadding2D(1) and no other pad" in report.first_problem


def test_quantized_models_are_run_dense(tmp_path):
    model = build()
    data = np.random.default_rng(0).normal(size=(4, 64, 64, 3))
    tf_rigl.sparsify(model, 0.9)
    export_litert(model, tmp_path / "model", "full_int8", data)
    report = check_xnnpack(tmp_path / "model")
    assert not report.fits
    assert "Export with quantization='float32'" in report.first_problem


@one_keras("keras")
def test_names_are_those_of_the_layers(keras, tmp_path):
    """Also where Keras numbers scopes as it numbers other layers."""
    layers = keras.layers

    def block():
        return keras.Sequential(
            [
                keras.Input((32, 32, 8)),
                layers.Conv2D(8, 1, name="conv"),
                layers.BatchNormalization(name="norm"),
                layers.ReLU(name="activation"),
            ],
        )

    first, second = block(), block()
    model = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            layers.ZeroPadding2D(1),
            layers.Conv2D(8, 3, 2, name="conv_1"),
            layers.Conv2D(8, 1, name="conv"),
            first,
            second,
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(256, name="head"),
            layers.Softmax(name="probabilities"),
        ]
    )
    before = [type(layer) for layer in model.layers]
    names = [row.name for row in check_xnnpack(model).rows]
    assert names == [
        "conv_1",
        "conv",
        f"{first.name}/conv",
        f"{second.name}/conv",
        "pool",
        "head",
        "behind head",
    ]
    assert [type(layer) for layer in model.layers] == before

    # A file has other names, but no prefixes and operations.
    export_litert(tf_rigl.sparsify(model, 0.9), tmp_path / "model")
    names = [row.name for row in check_xnnpack(tmp_path / "model").rows]
    assert len(names) == 7
    assert names[4].startswith("pool")
    assert names[5].startswith("head")


def test_what_fits():
    report = check_xnnpack(
        build(
            layers.ZeroPadding2D(2),
            layers.DepthwiseConv2D(5, strides=2),
            layers.Activation("hard_swish"),
            layers.DepthwiseConv2D(5, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.UpSampling2D(interpolation="bilinear"),
        )
    )
    assert report.fits, report


@pytest.mark.slow
def test_end():
    report = check_xnnpack(build(end=False))
    assert "its output leaves the graph. End in" in report.first_problem
    pooled = [layers.GlobalAveragePooling2D(keepdims=True)]
    assert check_xnnpack(build(*pooled, layers.Flatten(), end=False)).fits
    # Seen: the sparse kernels compute other outputs, here and below.
    report = check_xnnpack(build(*pooled, end=False))
    assert "height and width wrong as an output" in report.first_problem
    pooled.append(layers.Conv2D(10, 1))
    report = check_xnnpack(build(*pooled, end=False))
    assert "of the mean is computed wrongly. Use a D" in report.first_problem
    flat = [layers.Flatten(), layers.Dense(10)]
    report = check_xnnpack(build(*flat, end=False), batch_size=1)
    assert "RESHAPE has no sparse kernel" in report.problems[0]
    assert sum(bool(row.problem) for row in report.rows) == 1


def test_branches():
    images = keras.Input((16, 16, 3))
    features = images
    for layer in stem():
        features = layer(features)
    side = layers.Conv2D(16, 1)(layers.AveragePooling2D(2)(images))
    pool = layers.GlobalAveragePooling2D()
    within = layers.Add()([features, layers.Conv2D(16, 1)(features)])
    assert check_xnnpack(keras.Model(images, pool(within))).fits
    outside = keras.Model(images, pool(layers.Add()([features, side])))
    assert "outside of the region" in check_xnnpack(outside).first_problem
    leaving = layers.Softmax(axis=1)(features)
    report = check_xnnpack(keras.Model(images, [pool(features), leaving]))
    assert not report.fits


@pytest.mark.slow
def test_half_of_the_zeros_is_not_enough():
    model = build()
    for sparsity, enough in ((0.6, False), (0.7, True), (0.8, True)):
        tf_rigl.sparsify(model, sparsity, "uniform")
        report = check_xnnpack(model)
        tf_rigl.strip(model)
        assert report.sparse_enough == enough
        assert report.runs_sparse == enough
        if not enough:
            (problem,) = report.problems
            others = "head (64 of 160), second (51 of 128). Sparsify"
            assert f"Most of the others are in {others}" in problem
        # And what tf_rigl.sparsify has thinned out is refilled.
        for weight in model.trainable_weights:
            weight.assign(np.ones(weight.shape))


def test_wrong_arguments(tmp_path):
    (tmp_path / "model").write_text("something else")
    with pytest.raises(ValueError, match=r"begins with b'somethin'. Pass a"):
        check_xnnpack(tmp_path / "model")
    with pytest.raises(TypeError, match="Keras 3"):
        check_xnnpack(3)
