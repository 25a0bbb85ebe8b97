import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.core import order_statistic

BITS = 31


def kth_largest(keys, count):
    found = order_statistic.kth_largest_key(
        tf.constant(keys), tf.constant(count, tf.int64), BITS
    )
    return tuple(map(int, found))


@pytest.mark.parametrize("spread", [3, 2**12, 2**31 - 1])
def test_by_digits_and_by_bisection_it_is_the_same(monkeypatch, spread):
    """A TPU bisects: it would do a histogram one entry after the other."""
    random = np.random.default_rng(spread)
    keys = random.integers(-1, spread, 1000, dtype=np.int32)
    counts = [0, 1, 2, 500, 999, 1000]
    by_digits = [kth_largest(keys, count) for count in counts]
    asked = []

    def devices(kind):
        asked.append(kind)
        return ["a device"]

    monkeypatch.setattr(tf.config, "list_logical_devices", devices)
    assert [kth_largest(keys, count) for count in counts] == by_digits
    assert asked == ["TPU"] * len(counts)
    monkeypatch.setattr(order_statistic, "_by_digits", None)
    threshold = np.sort(keys)[-500]
    ties = 500 - np.count_nonzero(keys > threshold)
    equal = np.count_nonzero(keys == threshold)
    assert kth_largest(keys, 500) == by_digits[3] == (threshold, ties, equal)
