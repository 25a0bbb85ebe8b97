import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import oracle
from tests.core import strategies
from tf_rigl.core.apportion import apportion


def split(total, shares, capacities, mode="graph"):
    arguments = np.int64(total), np.float64(shares), np.int64(capacities)
    result = strategies.run(apportion, mode, *arguments)
    assert result.dtype == tf.int64
    return result.numpy().tolist()


@pytest.mark.parametrize("mode", strategies.MODES)
@pytest.mark.parametrize(
    ("total", "shares", "capacities", "counts"),
    [
        (6, [1, 2, 3], [9, 9, 9], [1, 2, 3]),
        # 10 / 6 · (1, 2, 3) = 1.67, 3.33, 5: the largest remainder is first.
        (10, [1, 2, 3], [9, 9, 9], [2, 3, 5]),
        # The second holds 2 and 8 are left for 1 : 3.
        (10, [1, 2, 3], [9, 2, 9], [2, 2, 6]),
        # Equal remainders: the lower index.
        (5, [1, 1, 1], [9, 9, 9], [2, 2, 1]),
        (4, [0, 0, 0], [9, 9, 9], [2, 1, 1]),
        (4, [0, 1, 0], [9, 9, 9], [0, 4, 0]),
        # Once all shares are full the others are equal.
        (7, [0, 1, 0], [9, 4, 9], [2, 4, 1]),
        (100, [1, 2, 3], [9, 0, 1], [9, 0, 1]),
        (0, [1, 2, 3], [9, 9, 9], [0, 0, 0]),
        (5, [1, np.nan, 3], [9, 9, 9], [2, 2, 1]),
        (5, [1, np.inf, 3], [9, 9, 9], [2, 2, 1]),
        (5, [5e-324, 5e-324, 5e-324], [9, 9, 9], [2, 2, 1]),
        # The second is a denormal.
        (6, [2.0**-1022, 2.0**-1023], [9, 9], [4, 2]),
        (6, [1e-300, 2e-300, 3e-300], [9, 9, 9], [1, 2, 3]),
        (6, [1e300, 2e300, 3e300], [9, 9, 9], [1, 2, 3]),
    ],
)
def test_golden_counts(total, shares, capacities, counts, mode):
    assert split(total, shares, capacities, mode) == counts


@pytest.mark.parametrize("layers", [1, 2, 5])
@strategies.examples(40)
@given(data=st.data())
def test_equals_the_oracle(layers, data):
    few = st.integers(0, 3)
    shares = data.draw(lists(few | st.integers(0, 2**30 - 1), layers))
    shares[0] |= 1 << 29  # The unit in which all of them count in full.
    capacities = data.draw(lists(few | st.integers(0, 2**31), layers))
    total = data.draw(few | st.integers(0, 2**32 - 1))
    expected = oracle.apportion(total, shares, capacities)
    assert split(total, shares, capacities) == expected


def lists(elements, size):
    return st.lists(elements, min_size=size, max_size=size)


@strategies.examples(40)
@given(
    shares=lists(st.floats(0, allow_nan=False), 6),
    capacities=lists(st.integers(0, 50), 6),
    total=st.integers(0, 300),
)
def test_sum_and_bounds_for_any_shares(shares, capacities, total):
    counts = split(total, shares, capacities)
    assert sum(counts) == min(total, sum(capacities))
    for count, capacity in zip(counts, capacities, strict=True):
        assert 0 <= count <= capacity


@strategies.examples(40)
@given(
    shares=lists(st.floats(0, allow_nan=False, allow_infinity=True), 6),
    capacities=lists(st.integers(0, 50) | st.integers(0, 2**31), 6),
    total=st.integers(0, 300) | st.integers(0, 2**32 - 1),
)
def test_eager_graph_and_xla_agree(shares, capacities, total):
    eager = split(total, shares, capacities, "eager")
    for mode in ("graph", "xla"):
        assert split(total, shares, capacities, mode) == eager


def test_python_numbers():
    assert apportion(3, [1.0, 2.0], [5, 5]).numpy().tolist() == [1, 2]
