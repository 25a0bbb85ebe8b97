"""What an early-bird search costs, in the units of its paper."""

import re

import pytest

import tf_rigl
from tests import support
from tf_rigl.accounting import ModelProfile
from tf_rigl.accounting import Uncounted
from tf_rigl.accounting import WeightProfile
from tf_rigl.accounting import early_bird_flops

IMAGENET, CIFAR = 1_281_167, 50_000
# Multiply-accumulates of one example.
RESNET_18, HALF_RESNET_18 = 1_814_073_344, 483_149_824
VGG_16 = 313_463_808


def costs(macs, uncounted=()):
    row = WeightProfile("conv", "Conv2D", (9,), 9, 5, macs // 2, macs, True)
    return ModelProfile("model", (row,), uncounted)


@pytest.mark.parametrize(
    ("macs", "examples", "epochs", "expected"),
    [
        (RESNET_18, IMAGENET, 90, "1,255"),
        (VGG_16, CIFAR, 160, "15.05"),
    ],
)
def test_dense_trainings_of_the_paper(macs, examples, epochs, expected):
    """The paper has 1,259 (table 3) and 302 · 0.05 (table 2)."""
    ways = early_bird_flops(costs(macs), costs(macs), examples, epochs, 0)
    assert ways.dense.flops == 6 * macs * examples * epochs
    assert f"{ways.dense.flops / 1e15:,.4g}" == expected
    assert str(ways).splitlines()[2].split() == (
        ["dense", "0", expected, expected, "1.00"]
    )


def test_the_ways():
    large, small = costs(RESNET_18), costs(HALF_RESNET_18)
    ways = early_bird_flops(large, small, IMAGENET, 90, 10)
    one, other = (6 * macs * IMAGENET for macs in (RESNET_18, HALF_RESNET_18))
    assert ways.early_bird.flops == 10 * one + 80 * other
    assert ways.reinitialized.flops == 10 * one + 90 * other
    assert ways.full_search.flops == 90 * one + 90 * other
    assert ways.progressive.search == 90 * (one - 0.75 * (one - other))
    assert ways.progressive.retraining == 90 * other
    assert not ways.is_lower_bound
    lines = str(ways).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[3].split() == ["early-bird", "139.4", "297.1", "436.6", "0.35"]

    ways = early_bird_flops(
        large, small, IMAGENET, 90, 10, retrain_epochs=20, pruned_fraction=0.5
    )
    assert ways.full_search.retraining == 20 * other
    assert ways.progressive.search == 90 * (one + other) / 2
    assert ways.progressive.retraining == 20 * other


def test_layers_that_are_not_counted():
    unknown = (Uncounted("own", "Own", "no rule"),)
    ways = early_bird_flops(costs(2), costs(2, unknown), 1, 1, 1)
    assert ways.is_lower_bound
    assert "Lower bounds" in str(ways)


@pytest.mark.slow
@support.one_keras("keras")
def test_resnet_18(keras):
    """By the profile of the network itself."""
    from tf_rigl.models import resnet

    profile = tf_rigl.profile(resnet.resnet(keras, 18))
    assert profile.dense_macs == RESNET_18
    ways = early_bird_flops(profile, profile, IMAGENET, 90, 90)
    assert ways.dense.flops == pytest.approx(1255e15, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((costs(2), 0, 1, 1), ValueError, "`examples` must be at least 1"),
        ((costs(2), 1, 1.5, 1), TypeError, "`epochs` must be an integer"),
        ((costs(2), 1, 4, 5), ValueError, "ticket_epoch=5, epochs=4"),
        ((costs(2), 1, 4, -1), ValueError, "ticket_epoch=-1, epochs=4"),
        ((costs(2), 1, 4, 1, 0), ValueError, "`retrain_epochs` must be at"),
        ((costs(2), 1, 4, 1, 2, 1.5), ValueError, "pruned_fraction=1.5"),
        ((costs(0), 1, 4, 1), ValueError, "'model' with dense_flops=0"),
    ],
)
def test_errors(arguments, error, message):
    large, *others = arguments
    with pytest.raises(error, match=re.escape(message)):
        early_bird_flops(large, costs(2), *others)
