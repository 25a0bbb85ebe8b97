import pytest

from tf_rigl.accounting.training_flops import FORMULAS
from tf_rigl.accounting.training_flops import training_flops


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("dense", 300.0),
        ("static", 30.0),
        ("set", 30.0),
        ("snfs", 120.0),
        # (3 · 10 · 100 + 2 · 10 + 100) / 101
        ("rigl", 3120 / 101),
        ("RigL", 3120 / 101),
        ("SNFS", 120.0),
    ],
)
def test_formula(method, expected):
    assert training_flops(method, 10, 100) == expected


def test_interval():
    assert training_flops("rigl", 10, 100, update_interval=1) == 75.0
    assert training_flops("set", 10, 100, update_interval=1) == 30.0


@pytest.mark.parametrize("method", FORMULAS)
def test_without_sparsity_all_methods_cost_the_same(method):
    assert training_flops(method, 7, 7) == 21.0


@pytest.mark.parametrize("sparsity", [0.8, 0.9, 0.95])
def test_order_of_methods(sparsity):
    costs = [
        training_flops(method, 1 - sparsity, 1)
        for method in ("static", "rigl", "snfs", "dense")
    ]
    assert costs == sorted(costs)


# RigL on ResNet-50 at 80 and 90 %, ERK and uniform, ΔT = 100: training and
# inference cost the same share of dense in google-research/rigl, README.md.
@pytest.mark.parametrize("share", [0.42, 0.23, 0.24, 0.13])
def test_published_shares(share):
    cost = training_flops("rigl", share, 1) / training_flops("dense", share, 1)
    assert cost == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("method", ["adam", "", None, 3])
def test_unknown_method(method):
    received = rf"'top_kast'\]. Received: method={method!r}"
    with pytest.raises(ValueError, match=received):
        training_flops(method, 1, 1)


def test_negative():
    with pytest.raises(ValueError, match="flops=-1, dense_flops=1"):
        training_flops("rigl", -1, 1)
    with pytest.raises(ValueError, match="flops=1, dense_flops=-1"):
        training_flops("rigl", 1, -1)


def test_bad_interval():
    with pytest.raises(ValueError, match="Received: update_interval=0"):
        training_flops("rigl", 1, 1, update_interval=0)
