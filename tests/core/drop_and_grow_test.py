import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import oracle
from tests.core import strategies
from tf_rigl.core.drop_and_grow import drop_and_grow

NAMES = [dtype.name for dtype in strategies.DTYPES]
# Each dtype with itself, and the pairs that mixed precision brings; compiling
# takes its time, so that some are slow.
QUICK_PAIRS = [
    (tf.bfloat16, tf.bfloat16),
    (tf.float32, tf.float32),
    (tf.float32, tf.bfloat16),
]
SLOW_PAIRS = [
    (tf.float16, tf.float16),
    (tf.float64, tf.float64),
    (tf.bfloat16, tf.float32),
    (tf.float64, tf.float16),
]
each_pair = pytest.mark.parametrize(
    ("weight_dtype", "score_dtype"),
    [
        *QUICK_PAIRS,
        *(pytest.param(*pair, marks=pytest.mark.slow) for pair in SLOW_PAIRS),
    ],
    ids=lambda dtype: dtype.name,
)


def update(weights, mask, scores, count, mode="graph"):
    """New mask, dropped and grown, as arrays."""
    signature = mask.shape, weights.dtype, scores.dtype
    function = strategies.compiled(drop_and_grow, mode, *signature)
    result = function(
        tf.constant(weights),
        tf.constant(mask),
        tf.constant(scores),
        tf.constant(count, tf.int64),
    )
    return tuple(tensor.numpy() for tensor in result)


def bits(picture):
    return np.array([int(digit) for digit in picture.split()], bool)


# Eight positions and their weights, of which | | are active:
#
#   index    0    1    2    3    4    5    6    7
#   weight  -9   |1|   4  |-1|   5   |8| |-2|   3
#
# Scores are the same numbers. By magnitude the active weights rank 5, 6, 1, 3:
# 1 and -1 tie and the lower index is the larger.
@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        # K = 0: nothing moves.
        (0, "0 1 0 1 0 1 1 0"),
        # K = 1: 3 goes. Free: 0:9 2:4 3:1 4:5 7:3, of which 0 comes.
        (0.25, "1 1 0 0 0 1 1 0"),
        # K = 2: 1 and 3 go. Free: 0:9 1:1 2:4 3:1 4:5 7:3; 0 and 4 come.
        (0.5, "1 0 0 0 1 1 1 0"),
        # K = 3: only 5 stays. Free: all others; 0:9, 4:5 and 2:4 come.
        (0.75, "1 0 1 0 1 1 0 0"),
        # K = 4: all go. 0:9, 5:8, 4:5 and 2:4 come, so 5 never left.
        (1, "1 0 1 0 1 1 0 0"),
    ],
)
def test_golden_masks(fraction, expected, mode):
    weights = np.array([-9, 1, 4, -1, 5, 8, -2, 3], np.float32)
    mask = bits("0 1 0 1 0 1 1 0")
    new, dropped, grown = update(
        weights, mask, weights, int(fraction * 4), mode
    )
    np.testing.assert_array_equal(new, bits(expected))
    np.testing.assert_array_equal(dropped, mask & ~bits(expected))
    np.testing.assert_array_equal(grown, bits(expected) & ~mask)


@pytest.mark.parametrize("dtype", strategies.DTYPES, ids=NAMES)
@pytest.mark.parametrize("shape", [(1,), (1, 3), (3, 5), (2, 2, 3, 3)], ids=str)
@strategies.examples(200)
@given(data=st.data())
def test_equals_the_oracle(dtype, shape, data):
    score_dtype = data.draw(st.sampled_from(strategies.DTYPES))
    check(data.draw(strategies.updates(shape, dtype, score_dtype)))


def check(case):
    new, dropped, grown = update(*case)
    expected = oracle.drop_and_grow(*case)
    assert expected.sum() == case[1].sum()
    np.testing.assert_array_equal(new, expected)
    np.testing.assert_array_equal(dropped, case[1] & ~expected)
    np.testing.assert_array_equal(grown, expected & ~case[1])


@each_pair
@strategies.examples(50)
@given(data=st.data())
def test_eager_graph_and_xla_agree(weight_dtype, score_dtype, data):
    case = data.draw(strategies.updates((5, 7), weight_dtype, score_dtype))
    eager = update(*case, mode="eager")
    np.testing.assert_array_equal(eager[0], oracle.drop_and_grow(*case))
    for mode in ("graph", "xla"):
        for expected, actual in zip(eager, update(*case, mode), strict=True):
            np.testing.assert_array_equal(actual, expected)


@each_pair
@pytest.mark.parametrize("mode", ["graph", "xla"])
@strategies.examples(40)
@given(data=st.data())
def test_non_finite_score_changes_nothing(
    weight_dtype, score_dtype, mode, data
):
    case = data.draw(strategies.updates((5, 7), weight_dtype, score_dtype))
    weights, mask, scores, count = case
    bad = data.draw(st.sampled_from([np.nan, -np.nan, np.inf, -np.inf]))
    # At an active position as much as at an inactive one.
    scores.flat[data.draw(st.integers(0, scores.size - 1))] = bad
    new, dropped, grown = update(weights, mask, scores, count, mode)
    np.testing.assert_array_equal(new, mask)
    assert not dropped.any()
    assert not grown.any()


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_inactive_is_never_kept_when_active_weights_are_zero(mode):
    """Zeros inside the mask and outside differ in nothing but the mask."""
    mask = np.zeros(1000, bool)
    mask[600:] = True  # All lower indices, which win ties, are inactive.
    weights = np.zeros(1000, np.float32)
    weights[990:] = 1
    # Kept: 990 to 999, and of the tied zeros 600 to 889. Scores rise with the
    # index, so the dropped 890 to 989 are the first to come back.
    scores = np.arange(1000, dtype=np.float32)
    new, _, _ = update(weights, mask, scores, 100, mode)
    np.testing.assert_array_equal(new, mask)
    # Scores that fall with the index bring 0 to 99 in their place.
    _, dropped, grown = update(weights, mask, scores[::-1].copy(), 100, mode)
    assert np.flatnonzero(dropped).tolist() == list(range(890, 990))
    assert np.flatnonzero(grown).tolist() == list(range(100))


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize("density", ["empty", "full"])
def test_empty_and_full_masks(density, mode):
    mask = np.full((3, 4), density == "full")
    scores = np.arange(12, dtype=np.float32).reshape(3, 4)
    for count in (-1, 0, 1, 12, 13):
        new, dropped, grown = update(scores, mask, scores, count, mode)
        np.testing.assert_array_equal(new, mask)
        assert not dropped.any()
        assert not grown.any()


@pytest.mark.parametrize("mask", [True, False])
def test_scalar(mask):
    new, dropped, grown = drop_and_grow(
        tf.constant(1.0), tf.constant(mask), tf.constant(2.0), 1
    )
    assert (bool(new), bool(dropped), bool(grown)) == (mask, False, False)


def test_no_elements():
    new, _, _ = drop_and_grow(
        tf.zeros([0, 3]), tf.zeros([0, 3], tf.bool), tf.zeros([0, 3]), 1
    )
    assert new.shape == (0, 3)


def test_arrays_variables_and_python_counts():
    weights, scores = np.array([3.0, 0.0, 1.0]), [0.0, 2.0, 0.0]
    new, _, _ = drop_and_grow(
        tf.Variable(weights), np.array([True, False, True]), scores, 1
    )
    assert new.numpy().tolist() == [True, True, False]


@pytest.mark.parametrize(
    "size", [2_000_000, pytest.param(20_000_000, marks=pytest.mark.slow)]
)
def test_millions_of_elements(size):
    count = size * 3 // 200
    generator = np.random.default_rng(0)
    # Rounded, so that thousands tie at the threshold; many are zero.
    weights = np.round(generator.normal(size=size).astype(np.float32), 2)
    mask = generator.random(size, np.float32) < 0.1
    scores = np.round(generator.normal(size=size).astype(np.float32), 3)
    new, dropped, grown = update(weights, mask, scores, count)
    expected = oracle.drop_and_grow(
        weights, mask, scores, count, oracle.largest_by_partition
    )
    assert np.array_equal(new, expected)
    assert np.array_equal(dropped, mask & ~expected)
    assert np.array_equal(grown, expected & ~mask)


@strategies.examples(100)
@given(case=strategies.updates((6, 6), tf.float32, tf.float32))
def test_partition_agrees_with_sorting(case):
    """The oracle of the large case, checked against the other."""
    weights, candidates, _, count = case
    weights = np.nan_to_num(weights, nan=1.0)
    count = min(count, int(candidates.sum()))
    if count:
        np.testing.assert_array_equal(
            oracle.largest_by_partition(weights, candidates, count),
            oracle.largest(weights, candidates, count),
        )


def test_count_of_connections_beyond_float32():
    check_conservation(size=2**24 + 10_001, rounds=2)


@pytest.mark.slow
def test_count_of_connections_over_100_updates():
    check_conservation(size=20_000_000, rounds=100)


def check_conservation(size, rounds):
    """Not one connection of more than 2**24 is lost or won in any round."""

    @tf.function(jit_compile=True, autograph=False)
    def advance(mask, index):
        weights, scores = tf.unstack(
            tf.random.stateless_normal(
                [2, size], tf.stack([index, 0]), alg="philox"
            )
        )
        result = drop_and_grow(
            tf.where(mask, weights, 0.0), mask, scores, 1_000_003
        )
        sums = [
            tf.reduce_sum(tf.cast(tensor, tf.int64))
            for tensor in (result.mask, result.dropped, result.grown)
        ]
        return result.mask, tf.stack(sums)

    # More ones than a float32 can count.
    nonzeros = 2**24 + 5001
    mask = tf.range(size) < nonzeros
    for index in range(rounds):
        mask, sums = advance(mask, tf.constant(index))
        total, dropped, grown = sums.numpy()
        assert total == nonzeros
        assert 0 < dropped == grown <= 1_000_003


@pytest.mark.parametrize("shape", [None, [None], [3, None]], ids=str)
def test_shape_must_be_known(shape):
    @tf.function(input_signature=[tf.TensorSpec(shape)], autograph=False)
    def function(weights):
        return drop_and_grow(weights, weights > 0, weights, 1)

    with pytest.raises(ValueError, match=r"shape must be known.*Received: "):
        function(tf.ones([3, 2] if shape and len(shape) == 2 else [3]))


@pytest.mark.parametrize(
    ("weights", "mask", "scores", "count", "error", "message"),
    [
        ([1.0, 2.0], [True], [1.0, 2.0], 1, ValueError, r"shape\. .*\)\.$"),
        ([1.0, 2.0], [True, False], [1.0], 1, ValueError, "the same shape"),
        ([[1.0, 2.0]], [True, False], [1.0, 2.0], 1, ValueError, "same shape"),
        ([1.0], [1.0], [1.0], 1, TypeError, r"a bool tensor.*dtype=float32"),
        ([1], [True], [1.0], 1, TypeError, r"`weights` .*\.dtype=int32"),
        ([1.0], [True], [1], 1, TypeError, r"`grow_scores` .*\.dtype=int32"),
        # A fraction instead of a number would silently drop nothing.
        ([1.0], [True], [1.0], 0.3, TypeError, "`count` must be an integer"),
        ([1.0], [True], [1.0], 1.0, TypeError, "`count` must be an integer"),
        ([1.0], [True], [1.0], True, TypeError, "`count` must be an integer"),
    ],
)
def test_refused(weights, mask, scores, count, error, message):
    with pytest.raises(error, match=message):
        drop_and_grow(weights, mask, scores, count)
