import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import oracle
from tests.core import strategies
from tf_rigl.core.drop_and_grow import drop_and_grow

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


def each_of(*pairs):
    return pytest.mark.parametrize(
        ("weight_dtype", "score_dtype"), pairs, ids=lambda dtype: dtype.name
    )


each_pair = each_of(
    *QUICK_PAIRS,
    *(pytest.param(*pair, marks=pytest.mark.slow) for pair in SLOW_PAIRS),
)


def update(weights, mask, scores, count, mode="graph"):
    result = strategies.run(
        drop_and_grow, mode, weights, mask, scores, np.int64(count)
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
@pytest.mark.parametrize("mode", strategies.MODES)
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
    found = update(weights, mask, weights, int(fraction * 4), mode)
    oracle.assert_update(found, mask, bits(expected))


@each_of(*QUICK_PAIRS, *SLOW_PAIRS)
@pytest.mark.parametrize("shape", [(1,), (1, 3), (3, 5), (2, 2, 3, 3)], ids=str)
@strategies.examples(100)
@given(data=st.data())
def test_equals_the_oracle(weight_dtype, score_dtype, shape, data):
    case = data.draw(strategies.updates(shape, weight_dtype, score_dtype))
    expected = oracle.drop_and_grow(*case)
    assert expected.sum() == case[1].sum()
    oracle.assert_update(update(*case), case[1], expected)


@each_pair
@strategies.examples(50)
@given(data=st.data())
def test_eager_graph_and_xla_agree(weight_dtype, score_dtype, data):
    case = data.draw(strategies.updates((5, 7), weight_dtype, score_dtype))
    expected = oracle.drop_and_grow(*case)
    for mode in strategies.MODES:
        oracle.assert_update(update(*case, mode), case[1], expected)


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
    found = update(weights, mask, scores, count, mode)
    oracle.assert_update(found, mask, mask)


@pytest.mark.parametrize("mode", strategies.MODES)
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


@pytest.mark.parametrize("mode", strategies.MODES)
@pytest.mark.parametrize("density", ["empty", "full"])
def test_empty_and_full_masks(density, mode):
    mask = np.full((3, 4), density == "full")
    scores = np.arange(12, dtype=np.float32).reshape(3, 4)
    for count in (-1, 0, 1, 12, 13):
        found = update(scores, mask, scores, count, mode)
        oracle.assert_update(found, mask, mask)


@pytest.mark.parametrize("mask", [True, False])
def test_scalar(mask):
    mask = np.array(mask)
    found = drop_and_grow(tf.constant(1.0), mask, tf.constant(2.0), 1)
    oracle.assert_update(found, mask, mask)


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
    expected = oracle.drop_and_grow(
        weights, mask, scores, count, oracle.largest_by_partition
    )
    oracle.assert_update(update(weights, mask, scores, count), mask, expected)


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


@pytest.mark.slow
def test_count_of_connections_over_100_updates():
    """Not one of more than a float32 can count is lost or won."""
    size, nonzeros = 20_000_000, 2**24 + 5001

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

    mask = tf.range(size) < nonzeros
    for index in range(100):
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
