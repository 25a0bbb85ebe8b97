import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests import support
from tests.core import oracle
from tests.core import strategies
from tests.methods import ranking
from tf_rigl.core import selection

NAMES = [dtype.name for dtype in strategies.DTYPES]
SHAPES = [(), (1,), (2,), (3, 5), (2, 3, 2, 4)]


def select(values, candidates, count, mode="graph"):
    """Marks by `largest_mask`, or in rows where there is a count for each."""
    in_rows = isinstance(count, list)
    select = selection.largest_in_rows if in_rows else selection.largest_mask
    arguments = values, candidates, np.int64(count)
    return strategies.run(select, mode, *arguments).numpy()


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
    keys = tf.constant([[7, dtype.max, 7, -1], [-1, 0, -1, 3]], dtype)
    for count, expected in (
        (3, [[1, 1, 1, 0], [0, 0, 0, 0]]),
        (5, [[1, 1, 1, 0], [0, 1, 0, 1]]),
    ):
        mask = strategies.run(
            selection.largest_integers_mask, mode, keys, np.int64(count)
        )
        assert mask.numpy().astype(int).tolist() == expected


@pytest.mark.parametrize("mode", strategies.MODES)
def test_counts_in_rows_are_exact(mode):
    condition = np.ones((2, 2**24 + 1), bool)
    condition[1, 5] = False
    counts = strategies.compiled(selection.count_true_in_rows, mode)(
        tf.constant(condition)
    )
    assert counts.dtype == tf.int64
    assert counts.numpy().tolist() == [2**24 + 1, 2**24]


@strategies.examples(40)
@given(st.integers(0, 2**31), st.floats(0, 1))
def test_of_several_weights_equals_sorting(seed, share):
    generator = np.random.default_rng(seed)
    shapes = [(3, 4), (7,), (2, 2, 2)]
    # Few distinct values, so that there are ties.
    scores = [
        generator.integers(-3, 4, shape).astype("float32") for shape in shapes
    ]
    candidates = [generator.random(shape) < 0.8 for shape in shapes]
    count = int(share * sum(int(c.sum()) for c in candidates))
    support.assert_all_equal(
        selection.largest_of_all(scores, candidates, count),
        ranking.largest_of_all(scores, candidates, count),
    )


@pytest.mark.parametrize("jit_compile", [False, True])
def test_weights_of_mixed_dtypes(jit_compile):
    scores = [tf.constant([1.0, -4.0]), tf.constant([2.0, 3.0], tf.float16)]
    candidates = [tf.constant([True, True])] * 2
    function = tf.function(selection.largest_of_all, jit_compile=jit_compile)
    first, second = function(scores, candidates, tf.constant(2, tf.int64))
    np.testing.assert_array_equal(first, [False, True])
    np.testing.assert_array_equal(second, [False, True])
