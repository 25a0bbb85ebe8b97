import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from tf_rigl.core.selection import largest_of_all


def sort_all(scores, candidates, count):
    """By sorting: magnitude, then weight, then flat index."""
    magnitudes = np.concatenate([np.abs(s).ravel() for s in scores])
    allowed = np.concatenate([c.ravel() for c in candidates])
    order = np.argsort(-np.where(allowed, magnitudes, -1), kind="stable")
    marked = np.zeros(len(magnitudes), bool)
    marked[order[:count]] = True
    ends = np.cumsum([s.size for s in scores])[:-1]
    return [
        part.reshape(s.shape)
        for part, s in zip(np.split(marked, ends), scores, strict=True)
    ]


@settings(max_examples=40, deadline=None)
@given(strategies.integers(0, 2**31), strategies.floats(0, 1))
def test_equals_sorting(seed, share):
    generator = np.random.default_rng(seed)
    shapes = [(3, 4), (7,), (2, 2, 2)]
    # Few distinct values, so that there are ties.
    scores = [
        generator.integers(-3, 4, shape).astype("float32") for shape in shapes
    ]
    candidates = [generator.random(shape) < 0.8 for shape in shapes]
    count = int(share * sum(int(c.sum()) for c in candidates))
    for actual, expected in zip(
        largest_of_all(scores, candidates, count),
        sort_all(scores, candidates, count),
        strict=True,
    ):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_and_mixed_dtypes(jit_compile):
    scores = [tf.constant([1.0, -4.0]), tf.constant([2.0, 3.0], tf.float16)]
    candidates = [tf.constant([True, True])] * 2
    function = tf.function(largest_of_all, jit_compile=jit_compile)
    first, second = function(scores, candidates, tf.constant(2, tf.int64))
    np.testing.assert_array_equal(first, [False, True])
    np.testing.assert_array_equal(second, [False, True])
