"""Means and spreads, by hand."""

import pytest

from tests.experiments.sweeps.support import make_records
from tf_rigl.experiments.sweeps.summary import spread
from tf_rigl.experiments.sweeps.summary import summarize


def test_spread():
    # Squared distances from 3: 4 + 1 + 1 + 4 = 10, by 4 - 1.
    found = spread([1.0, 2.0, 4.0, 5.0])
    assert found.runs == 4
    assert found.mean == 3.0
    assert found.deviation == pytest.approx((10 / 3) ** 0.5)
    assert (found.lowest, found.highest) == (1.0, 5.0)
    assert spread([2.0]).deviation is None


def test_rows():
    records = make_records(
        {"rigl": [0.8, 0.9], "dense": [0.95, 0.97], "set": [0.9, 0.9]}
    )
    dense, best, other = summarize(records).rows
    assert (dense.method, dense.sparsity, dense.label) == (
        "dense",
        None,
        "Dense",
    )
    assert (dense.inference, dense.training) == (1.0, 1.0)

    assert (best.method, best.sparsity) == ("set", 0.9)
    assert best.headline.deviation == 0.0
    assert other.label == "RigL 90 %"
    assert other.headline.mean == pytest.approx(0.85)
    assert other.headline.deviation == pytest.approx(0.005**0.5)
    assert other.inference == pytest.approx(0.1)
    assert other.training == pytest.approx(0.11)
    assert (other.nonzeros, other.packed_bytes) == (40, 210)


def test_fewer_bits_are_better():
    records = make_records(
        {"rigl": [2.0], "set": [1.5]}, headline="bits_per_character"
    )
    assert [row.method for row in summarize(records).rows] == ["set", "rigl"]


def test_shares_are_those_of_the_dense_network():
    # Not of the small one, which is 10 % of it and dense itself.
    alone = summarize(make_records({"small_dense": [0.9]}))
    assert alone.rows[0].inference is None
    both = summarize(make_records({"small_dense": [0.9], "static": [0.8]}))
    assert both.rows[0].method == "small_dense"
    assert both.rows[0].inference == pytest.approx(0.1)
