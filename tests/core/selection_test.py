import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import oracle
from tests.core import strategies
from tf_rigl.core import selection

NAMES = [dtype.name for dtype in strategies.DTYPES]
SHAPES = [(), (1,), (2,), (3, 5), (2, 3, 2, 4)]


def select(values, candidates, count, mode="graph"):
    signature = values.shape, values.dtype.name
    function = strategies.compiled(selection.largest_mask, mode, *signature)
    chosen = function(
        tf.constant(values),
        tf.constant(candidates),
        tf.constant(count, tf.int64),
    )
    return chosen.numpy()


@pytest.mark.parametrize("mode", strategies.MODES)
@pytest.mark.parametrize("size", [0, 1, 2**24 - 1, 2**24, 2**24 + 1])
def test_count_true_is_exact(size, mode):
    """Counts in float32 would stop at 2**24."""
    count = strategies.compiled(selection.count_true, mode, size)
    every = np.ones(size, bool)
    assert int(count(tf.constant(every))) == size
    if size:
        every[size // 2] = False
        assert int(count(tf.constant(every))) == size - 1


def test_count_true_of_any_rank():
    condition = tf.constant([[[True, False], [True, True]]])
    assert selection.count_true(condition).dtype == tf.int64
    assert selection.count_true(condition) == 3
    assert selection.count_true(tf.constant(True)) == 1


@pytest.mark.parametrize("mode", strategies.MODES)
@pytest.mark.parametrize("dtype", strategies.in_two_types(), ids=NAMES)
def test_keys_order_as_magnitudes(dtype, mode):
    """Landmarks come in ascending order; all NaN share the highest key."""
    named = strategies.landmarks(dtype)
    values = strategies.from_bits(list(named.values()), dtype)
    keys = strategies.compiled(selection.magnitude_keys, mode, dtype)(
        tf.constant(values)
    )
    assert keys.dtype == selection.magnitude_key_dtype(dtype)
    keys = dict(zip(named, keys.numpy().tolist(), strict=True))
    nans = {keys.pop(name) for name in named if "nan" in name}
    ascending = list(keys.values())
    assert ascending[0] == 0
    assert ascending == sorted(set(ascending))
    assert nans == {keys["infinity"] + 1}


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16], ids=str)
def test_keys_of_every_16_bit_float(dtype):
    values = strategies.from_bits(np.arange(2**16), dtype)
    keys = selection.magnitude_keys(tf.constant(values)).numpy()
    magnitudes = np.abs(oracle.to_float64(values))
    # Where sorted by magnitude, with NaN at the end, keys never descend, and
    # two keys are equal exactly where the magnitudes are.
    order = np.argsort(magnitudes, kind="stable")
    key_steps = np.diff(keys[order])
    magnitudes = np.nan_to_num(magnitudes[order], nan=1e300, posinf=1e299)
    assert (key_steps >= 0).all()
    np.testing.assert_array_equal(key_steps > 0, np.diff(magnitudes) > 0)


@pytest.mark.parametrize("dtype", [tf.int32, tf.bool, tf.complex64], ids=str)
def test_keys_of_other_dtypes(dtype):
    with pytest.raises(
        TypeError,
        match=rf"float16, bfloat16, float32 or float64.*dtype={dtype.name}\.",
    ):
        selection.magnitude_keys(tf.cast([0, 1], dtype))


@pytest.mark.parametrize("mode", strategies.MODES)
def test_some_equal_values(mode):
    """The first two of four ones are among the five largest."""
    values = np.array([1, 0.5, 0.3, 0.2, 1, 1.5, 1.8, 2, 1, 1], np.float32)
    chosen = select(values, np.ones(10, bool), 5, mode)
    assert chosen.astype(int).tolist() == [1, 0, 0, 0, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("dtype", strategies.DTYPES, ids=NAMES)
def test_denormals_are_not_zero(dtype):
    values = strategies.from_bits([0, 1, 2, 3, 0, 2], dtype)
    chosen = select(values, np.ones(6, bool), 3)
    assert chosen.tolist() == [False, False, True, True, False, True]


@pytest.mark.parametrize("dtype", strategies.DTYPES, ids=NAMES)
def test_nan_is_above_infinity(dtype):
    values = np.array([np.inf, np.nan, 1, -np.nan, -np.inf]).astype(
        dtype.as_numpy_dtype
    )
    every = np.ones(5, bool)
    picture = "".join(str(int(x)) for x in select(values, every, 1))
    assert picture == "01000"
    assert select(values, every, 2).tolist() == [0, 1, 0, 1, 0]
    assert select(values, every, 3).tolist() == [1, 1, 0, 1, 0]


@pytest.mark.parametrize("dtype", strategies.DTYPES, ids=NAMES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@strategies.examples(60)
@given(data=st.data())
def test_equals_sorting(dtype, shape, data):
    values = data.draw(strategies.floats(shape, dtype))
    candidates = data.draw(strategies.masks(shape))
    count = data.draw(st.integers(0, int(candidates.sum())))
    np.testing.assert_array_equal(
        select(values, candidates, count),
        oracle.largest(values, candidates, count),
    )


@pytest.mark.parametrize(
    "count", [2, tf.constant(2, tf.int32), tf.constant(2, tf.int64)], ids=str
)
def test_counts_of_any_integer_type(count):
    values = tf.constant([1.0, 3.0, 2.0])
    chosen = selection.largest_mask(values, tf.constant([True] * 3), count)
    assert chosen.numpy().tolist() == [False, True, True]
