import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests import support
from tests.core import strategies
from tests.methods import ranking
from tf_rigl.core.selection import largest_of_all


@strategies.examples(40)
@given(st.integers(0, 2**31), st.floats(0, 1))
def test_equals_sorting(seed, share):
    generator = np.random.default_rng(seed)
    shapes = [(3, 4), (7,), (2, 2, 2)]
    # Few distinct values, so that there are ties.
    scores = [
        generator.integers(-3, 4, shape).astype("float32") for shape in shapes
    ]
    candidates = [generator.random(shape) < 0.8 for shape in shapes]
    count = int(share * sum(int(c.sum()) for c in candidates))
    support.assert_all_equal(
        largest_of_all(scores, candidates, count),
        ranking.largest_of_all(scores, candidates, count),
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_and_mixed_dtypes(jit_compile):
    scores = [tf.constant([1.0, -4.0]), tf.constant([2.0, 3.0], tf.float16)]
    candidates = [tf.constant([True, True])] * 2
    function = tf.function(largest_of_all, jit_compile=jit_compile)
    first, second = function(scores, candidates, tf.constant(2, tf.int64))
    np.testing.assert_array_equal(first, [False, True])
    np.testing.assert_array_equal(second, [False, True])
