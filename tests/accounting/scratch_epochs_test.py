import re

import pytest

import tf_rigl
from tests import support
from tf_rigl.accounting import ModelProfile
from tf_rigl.accounting import WeightProfile
from tf_rigl.accounting import scratch_epochs


def costs(macs, dense_macs):
    row = WeightProfile("out", "Dense", (9, 9), 81, 9, macs, dense_macs, True)
    return ModelProfile("model", (row,))


@pytest.mark.parametrize(
    ("macs", "dense_macs", "epochs", "expected"),
    [
        (10, 100, 90, 900),
        (100, 100, 90, 90),
        (3, 10, 1, 3),
        (3, 10, 3, 10),  # exactly
        # In floating point, 3 · (1 / 0.3…) would be a bit below 10.
        (7, 10, 7, 10),
        # More than float64 can tell apart.
        (10**17 + 1, 10**17 + 1, 3, 3),
        (10**17 + 1, 10**17, 3, 2),
    ],
)
def test_epochs_are_rounded_down(macs, dense_macs, epochs, expected):
    assert scratch_epochs(costs(macs, dense_macs), epochs) == expected


def test_a_limit():
    assert scratch_epochs(costs(10, 100), 90, at_most=180) == 180
    assert scratch_epochs(costs(80, 100), 90, at_most=180) == 112


@pytest.mark.parametrize(
    ("large", "small", "expected"),
    [
        (125_485_696, 112_435_840, 178),  # ResNet-56-A
        (125_485_696, 90_907_264, 220),
        (252_887_680, 212_779_648, 190),  # ResNet-110-A
        (252_887_680, 155_124_352, 260),
    ],
)
def test_channels_that_were_removed(large, small, expected):
    """The rule of Liu et al., section 3: int(160 · FLOPs / FLOPs)."""
    found = scratch_epochs(
        costs(small, small), 160, large=costs(large, 2 * large)
    )
    assert found == expected


@support.one_keras("keras")
def test_a_sparse_model(keras):
    model = support.make_mlp(keras, units=(50,), inputs=40, outputs=20)
    tf_rigl.sparsify(model, 0.9, "uniform")
    assert scratch_epochs(tf_rigl.profile(model), 10) == 100


@pytest.mark.parametrize(
    ("profile", "arguments", "error", "message"),
    [
        (costs(1, 2), (0,), ValueError, "`epochs` must be at least 1"),
        (costs(1, 2), (1.5,), TypeError, "`epochs` must be an integer"),
        (costs(1, 2), (1, 0), ValueError, "`at_most` must be at least 1"),
        (costs(0, 2), (1,), ValueError, "profile of 'model' with flops=0"),
    ],
)
def test_errors(profile, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        scratch_epochs(profile, *arguments)
