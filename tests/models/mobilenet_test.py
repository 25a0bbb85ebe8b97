"""Shapes, and the golden numbers of the published MobileNet v1.

google-research/rigl, the notebook on MobileNet v1, images of 224×224. What it
counts is `micronet`'s rule, and the borders of images that are padded twice.
"""

import keras as keras3
import numpy as np
import pytest

import tf_rigl
from tests.models import support
from tests.support import keras_in_turn
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
def full():
    return mobilenet.mobilenet_v1(keras3)


def megabytes(profile, biases=BIASES):
    kernels = support.kernels(profile)
    return (sum(row.bytes for row in kernels) + 4 * biases) / 1e6


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
def test_v1_narrow(width):
    profile = tf_rigl.profile(mobilenet.mobilenet_v1(keras3, width=width))
    mflops, size = NARROW[width]
    elementwise = width * (DENSE_MFLOPS - 1137.481)
    assert profile.flops / 1e6 + elementwise == pytest.approx(mflops, rel=5e-3)
    biases = int(width * (BIASES - 1_000)) + 1_000
    assert megabytes(profile, biases) == pytest.approx(size, rel=5e-3)


@pytest.mark.slow
def test_v2_dense():
    # Table 4 of the paper: 3.4 million parameters, 300 million multiply-adds.
    profile = tf_rigl.profile(mobilenet.mobilenet_v2(keras3))
    assert profile.parameters == 3_538_984
    assert profile.macs == 300_774_272


def both_forms(build, keras, size):
    """The published model, the symmetric one, and the outputs of each."""
    options = {"input_shape": (size, size, 3), "classes": 5, "width": 0.25}
    published = build(keras, **options)
    symmetric = build(keras, **options, sparse_inference=True)
    symmetric.set_weights(published.get_weights())

    images = np.random.default_rng(0).normal(size=(2, size, size, 3))
    outputs = [
        np.asarray(model(images.astype(np.float32)))
        for model in (published, symmetric)
    ]
    return published, symmetric, outputs


@keras_in_turn(
    "build",
    [mobilenet.mobilenet_v1, mobilenet.mobilenet_v2],
    is_slow=lambda build: build is mobilenet.mobilenet_v2,
)
def test_forms_differ_in_padding_only(keras, build):
    published, symmetric, (first, second) = both_forms(build, keras, 32)
    assert isinstance(published, keras.Model)
    pads = [one for one in symmetric.layers if one.name.endswith("_pad")]
    assert len(pads) == 5
    assert len(symmetric.layers) == len(published.layers) + 5
    assert first.shape == second.shape == (2, 5)
    assert not np.allclose(first, second, rtol=1e-3, atol=0)


@pytest.mark.slow
def test_odd_pictures_are_padded_alike():
    """Both forms are one where "same" adds one row on each side."""
    _, _, outputs = both_forms(mobilenet.mobilenet_v1, keras3, 65)
    np.testing.assert_allclose(*outputs, rtol=1e-4)


@pytest.mark.parametrize(
    ("width", "first", "last"),
    [(0.35, 16, 1280), pytest.param(1.4, 48, 1792, marks=pytest.mark.slow)],
)
def test_v2_widths_are_multiples_of_eight(width, first, last):
    model = mobilenet.mobilenet_v2(keras3, (32, 32, 3), 2, width)
    assert model.get_layer("conv").filters == first
    assert model.get_layer("last").filters == last
