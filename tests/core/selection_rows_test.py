"""The largest entries of each row."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import oracle
from tests.core import strategies
from tf_rigl.core import selection


def select(values, candidates, counts, mode="graph"):
    function = strategies.compiled(
        selection.largest_in_rows, mode, values.shape, values.dtype
    )
    return function(
        tf.constant(values),
        tf.constant(candidates),
        tf.constant(counts, tf.int64),
    ).numpy()


def check(values, candidates, counts, mode="graph"):
    np.testing.assert_array_equal(
        select(values, candidates, counts, mode),
        [
            oracle.largest(*row)
            for row in zip(values, candidates, counts, strict=True)
        ],
    )


@pytest.mark.parametrize("mode", strategies.MODES)
def test_golden_rows(mode):
    values = np.array(
        [[1, -3, 2, 2], [0, 0, 0, 0], [np.nan, np.inf, 9, -np.inf]], np.float32
    )
    mask = select(values, np.ones((3, 4), bool), [2, 3, 2], mode)
    assert mask.astype(int).tolist() == [
        [0, 1, 1, 0],
        [1, 1, 1, 0],
        [1, 1, 0, 0],
    ]


@st.composite
def cases(draw, shape, dtype):
    values = draw(strategies.floats(shape, dtype))
    candidates = draw(strategies.masks(shape))
    counts = [draw(st.integers(0, int(row.sum()))) for row in candidates]
    return values, candidates, counts


@pytest.mark.parametrize("dtype", strategies.DTYPES, ids=lambda d: d.name)
@pytest.mark.parametrize("shape", [(4, 6), (1, 5), (5, 1), (1, 1)], ids=str)
@strategies.examples(25)
@given(data=st.data())
def test_equals_sorting_each_row(dtype, shape, data):
    check(*data.draw(cases(shape, dtype)))


@pytest.mark.parametrize("mode", ["eager", "xla"])
@strategies.examples(30)
@given(data=st.data())
def test_eager_and_xla_agree(mode, data):
    check(*data.draw(cases((4, 6), tf.float32)), mode)


@pytest.mark.parametrize("mode", strategies.MODES)
def test_rows_with_fewer_candidates_keep_all(mode):
    candidates = np.array([[True, False, True], [False] * 3])
    mask = select(np.ones((2, 3), np.float32), candidates, [3, 1], mode)
    np.testing.assert_array_equal(mask, candidates)


@pytest.mark.parametrize("mode", strategies.MODES)
@pytest.mark.parametrize("dtype", [tf.int32, tf.int64], ids=lambda d: d.name)
def test_integer_keys(dtype, mode):
    """All bits below the sign count, and -1 is never chosen."""
    function = strategies.compiled(
        selection.largest_integers_in_rows, mode, dtype
    )
    keys = tf.constant([[7, dtype.max, 7, -1], [-1, 0, -1, 3]], dtype)
    mask = function(keys, tf.constant([2, 2], tf.int64)).numpy()
    assert mask.astype(int).tolist() == [[1, 1, 0, 0], [0, 1, 0, 1]]
    mask = strategies.compiled(selection.largest_integers_mask, mode, dtype)(
        keys, tf.constant(3, tf.int64)
    )
    assert mask.numpy().astype(int).tolist() == [[1, 1, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("mode", strategies.MODES)
def test_counts_in_rows_are_exact(mode):
    condition = np.ones((2, 2**24 + 1), bool)
    condition[1, 5] = False
    counts = strategies.compiled(selection.count_true_in_rows, mode)(
        tf.constant(condition)
    )
    assert counts.dtype == tf.int64
    assert counts.numpy().tolist() == [2**24 + 1, 2**24]
