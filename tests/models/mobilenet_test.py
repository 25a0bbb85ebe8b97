"""Shapes, and the golden numbers of the published MobileNet v1.

google-research/rigl, the notebook on MobileNet v1, images of 224×224. What it
counts is `micronet`'s rule, and the borders of images that are padded twice.
"""

import importlib

import numpy as np
import pytest

import tf_rigl
from tf_rigl.accounting import micronet
from tf_rigl.core.distribution_types import with_options
from tf_rigl.models import mobilenet

BIASES = 32 + 5_952 + 1_000 + 13
DENSE_MFLOPS = 1141.544
DENSE_MEGABYTES = 16.864
# MFLOPs and megabytes at 90 %, depthwise kernels dense; with "uniform" the
# first convolution, too. Kernels kept dense do not count as part of the budget.
SPARSE = {"erk": (334.134, 2.392), "uniform": (168.614, 2.396)}
# MFLOPs and megabytes of narrower dense networks.
NARROW = {0.47: (266.539, 4.789), 0.285: (103.825, 2.236)}


@pytest.fixture(scope="module")
def keras3():
    return importlib.import_module("keras")


@pytest.fixture(scope="module")
def full(keras3):
    return mobilenet.mobilenet_v1(keras3)


def kernels(profile):
    return [row for row in profile.rows if row.path.endswith("/kernel")]


def megabytes(profile, biases=BIASES):
    return (sum(row.bytes for row in kernels(profile)) + 4 * biases) / 1e6


def test_v1_dense(full):
    profile = tf_rigl.profile(full)
    assert profile.parameters == full.count_params() == 4_253_864
    assert profile.macs == 568_740_352
    assert profile.flops / 1e6 == pytest.approx(DENSE_MFLOPS, rel=5e-3)
    assert megabytes(profile) == pytest.approx(DENSE_MEGABYTES, abs=1e-3)
    counts = micronet(profile)
    assert counts.bytes / 1e6 == pytest.approx(DENSE_MEGABYTES, abs=1e-3)
    assert counts.flops == 1_140_613_274
    published = micronet(profile, strided(full)).flops
    assert published / 1e6 == pytest.approx(DENSE_MFLOPS, abs=5e-4)


def strided(model):
    """Paths of the kernels whose images the notebook pads twice."""
    layers = [
        one for one in model.layers if "conv" in type(one).__name__.lower()
    ]
    return {f"{one.name}/kernel" for one in layers if max(one.strides) == 2}


@pytest.mark.parametrize("distribution", SPARSE)
def test_v1_sparse(full, distribution):
    dense = [full.get_layer("conv")] if distribution == "uniform" else ()
    chosen = with_options(distribution, budget="reference")
    tf_rigl.sparsify(full, 0.9, chosen, dense=dense)
    profile = tf_rigl.profile(full)
    tf_rigl.strip(full)  # For the next distribution.
    mflops, size = SPARSE[distribution]
    saved = (profile.dense_flops - profile.flops) / 1e6
    assert saved == pytest.approx(DENSE_MFLOPS - mflops, rel=1e-4)
    assert megabytes(profile) == pytest.approx(size, abs=1e-3)
    # The notebook rounds the connections of each output down.
    published = micronet(profile, strided(full)).flops / 1e6
    assert published == pytest.approx(mflops, rel=2e-4)


@pytest.mark.slow
@pytest.mark.parametrize("width", NARROW)
def test_v1_narrow(keras3, width):
    profile = tf_rigl.profile(mobilenet.mobilenet_v1(keras3, width=width))
    mflops, size = NARROW[width]
    elementwise = width * (DENSE_MFLOPS - 1137.481)
    assert profile.flops / 1e6 + elementwise == pytest.approx(mflops, rel=5e-3)
    biases = int(width * (BIASES - 1_000)) + 1_000
    assert megabytes(profile, biases) == pytest.approx(size, rel=5e-3)


@pytest.mark.slow
def test_v2_dense(keras3):
    # Table 4 of the paper: 3.4 million parameters, 300 million multiply-adds.
    profile = tf_rigl.profile(mobilenet.mobilenet_v2(keras3))
    assert profile.parameters == 3_538_984
    assert profile.macs == 300_774_272


@pytest.mark.parametrize(
    ("flavor", "version"),
    [
        ("keras", "mobilenet_v1"),
        ("tf_keras", "mobilenet_v1"),
        pytest.param("keras", "mobilenet_v2", marks=pytest.mark.slow),
        pytest.param("tf_keras", "mobilenet_v2", marks=pytest.mark.slow),
    ],
)
def test_forms_differ_in_padding_only(flavor, version):
    keras = importlib.import_module(flavor)
    build = getattr(mobilenet, version)
    options = {"input_shape": (32, 32, 3), "classes": 5, "width": 0.25}
    published = build(keras, **options)
    symmetric = build(keras, **options, sparse_inference=True)
    assert isinstance(published, keras.Model)
    symmetric.set_weights(published.get_weights())
    pads = [one for one in symmetric.layers if one.name.endswith("_pad")]
    assert len(pads) == 5
    assert len(symmetric.layers) == len(published.layers) + 5
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3))
    first = np.asarray(published(images.astype(np.float32)))
    second = np.asarray(symmetric(images.astype(np.float32)))
    assert first.shape == second.shape == (2, 5)
    assert not np.allclose(first, second, rtol=1e-3, atol=0)


@pytest.mark.slow
def test_odd_pictures_are_padded_alike(keras3):
    """Where "same" adds one row on each side, both forms are one."""
    options = {"input_shape": (65, 65, 3), "classes": 5, "width": 0.25}
    published = mobilenet.mobilenet_v1(keras3, **options)
    symmetric = mobilenet.mobilenet_v1(keras3, **options, sparse_inference=True)
    symmetric.set_weights(published.get_weights())
    images = np.random.default_rng(0).normal(size=(2, 65, 65, 3))
    first = np.asarray(published(images.astype(np.float32)))
    second = np.asarray(symmetric(images.astype(np.float32)))
    np.testing.assert_allclose(first, second, rtol=1e-4)


@pytest.mark.parametrize(
    ("width", "first", "last"),
    [
        (0.35, 16, 1280),
        pytest.param(1.4, 48, 1792, marks=pytest.mark.slow),
    ],
)
def test_v2_widths_are_multiples_of_eight(keras3, width, first, last):
    model = mobilenet.mobilenet_v2(keras3, (32, 32, 3), 2, width)
    assert model.get_layer("conv").filters == first
    assert model.get_layer("last").filters == last
