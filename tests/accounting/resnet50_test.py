"""Golden numbers of ResNet-50 on 224×224 images."""

import keras
import pytest
import tf_keras

import tf_rigl
from tests.accounting import resnet50

KERNEL_WEIGHTS = 25_502_912
DENSE_MACS = 4_089_184_256

# MACs of ERK over all layers, as fvcore counts them in the published
# notebooks of SRigL.
MACS = {0.8: 1.692089e9, 0.9: 0.9889238e9}

# Megabytes of the published models: these kernels and the 27,560 biases into
# which BatchNormalization folds; google-research/rigl, README.md.
MEGABYTES = {0.8: 23.683, 0.9: 13.499}
BIASES = 27_560

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
    name="model",
    scope="module",
    params=[keras, tf_keras],
    ids=["keras3", "keras2"],
)
def model_fixture(request):
    return resnet50.build(request.param)


def kernels(profile):
    return [row for row in profile.rows if row.path.endswith("/kernel")]


def test_dense(model):
    profile = tf_rigl.profile(model)
    assert profile.macs == profile.dense_macs == DENSE_MACS
    assert profile.flops == 2 * DENSE_MACS
    assert profile.parameters == model.count_params()
    assert profile.uncounted == ()
    assert len(kernels(profile)) == 54
    assert sum(row.parameters for row in kernels(profile)) == KERNEL_WEIGHTS


@pytest.mark.parametrize("sparsity", [0.8, 0.9])
def test_erk(model, sparsity):
    profile = tf_rigl.profile(tf_rigl.sparsify(model, sparsity))
    tf_rigl.strip(model)  # For the next sparsity.
    assert profile.macs == pytest.approx(MACS[sparsity], rel=1e-3)
    assert profile.dense_macs == DENSE_MACS
    connections = sum(row.nonzeros for row in kernels(profile))
    assert connections == KERNEL_WEIGHTS - int(sparsity * KERNEL_WEIGHTS)
    megabytes = (sum(row.bytes for row in kernels(profile)) + 4 * BIASES) / 1e6
    assert megabytes == pytest.approx(MEGABYTES[sparsity], abs=0.002)
    column = list(MACS).index(sparsity)
    found = {row.shape: row.sparsity for row in kernels(profile)}
    assert found.keys() == ERK.keys()
    assert found == pytest.approx(
        {shape: sparsities[column] for shape, sparsities in ERK.items()},
        abs=1e-3,
    )
    assert all(row.masked for row in kernels(profile))
