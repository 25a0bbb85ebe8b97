import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import oracle
from tests.core import strategies
from tf_rigl.core.drop_and_grow import drop_and_grow

NAMES = [dtype.name for dtype in strategies.DTYPES]
# Each dtype with itself, and the pairs that mixed precision brings.
PAIRS = [
    (tf.float16, tf.float16),
    (tf.bfloat16, tf.bfloat16),
    (tf.float32, tf.float32),
    (tf.float64, tf.float64),
    (tf.float32, tf.bfloat16),
    (tf.bfloat16, tf.float32),
    (tf.float64, tf.float16),
]
PAIR_NAMES = [f"{weights.name}-{scores.name}" for weights, scores in PAIRS]


@functools.cache
def compiled(mode, *signature):
    """One compiled function for each signature: none is traced twice."""
    del signature
    if mode == "eager":
        return drop_and_grow
    return tf.function(
        lambda *arguments: drop_and_grow(*arguments),
        jit_compile=mode == "xla",
        autograph=False,
    )


def update(weights, mask, scores, count, mode="graph"):
    """New mask, dropped and grown, as arrays."""
    function = compiled(mode, mask.shape, weights.dtype, scores.dtype)
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
@pytest.mark.parametrize("shape", [(3, 5), (2, 2, 3, 3)], ids=str)
@strategies.examples(250)
@given(data=st.data())
def test_equals_the_oracle(dtype, shape, data):
    score_dtype = data.draw(st.sampled_from(strategies.DTYPES))
    check(data.draw(strategies.updates(shape, dtype, score_dtype)))


@pytest.mark.parametrize("dtype", strategies.DTYPES, ids=NAMES)
@strategies.examples(150)
@given(data=st.data())
def test_equals_the_oracle_on_few_elements(dtype, data):
    shape = data.draw(st.sampled_from([(1,), (2,), (1, 3)]))
    check(data.draw(strategies.updates(shape, dtype, dtype)))


def check(case):
    new, dropped, grown = update(*case)
    expected = oracle.drop_and_grow(*case)
    np.testing.assert_array_equal(new, expected)
    np.testing.assert_array_equal(dropped, case[1] & ~expected)
    np.testing.assert_array_equal(grown, expected & ~case[1])


@pytest.mark.parametrize(("weight_dtype", "score_dtype"), PAIRS, ids=PAIR_NAMES)
@strategies.examples(50)
@given(data=st.data())
def test_eager_graph_and_xla_agree(weight_dtype, score_dtype, data):
    case = data.draw(strategies.updates((5, 7), weight_dtype, score_dtype))
    eager = update(*case, mode="eager")
    np.testing.assert_array_equal(eager[0], oracle.drop_and_grow(*case))
    for mode in ("graph", "xla"):
        for expected, actual in zip(eager, update(*case, mode), strict=True):
            np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(("weight_dtype", "score_dtype"), PAIRS, ids=PAIR_NAMES)
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


@strategies.examples(250)
@given(case=strategies.updates((4, 8), tf.float32, tf.float32))
def test_bookkeeping(case):
    """Counts stay, and `dropped` and `grown` are the difference of masks."""
    _, mask, _, count = case
    new, dropped, grown = update(*case)
    assert new.dtype == dropped.dtype == grown.dtype == bool
    assert new.shape == dropped.shape == grown.shape == mask.shape
    assert new.sum() == mask.sum()
    assert dropped.sum() == grown.sum() <= min(count, mask.sum())
    assert not (dropped & ~mask).any()
    assert not (grown & mask).any()
    np.testing.assert_array_equal(new, (mask & ~dropped) | grown)


@strategies.examples(250)
@given(case=strategies.updates((4, 8), tf.float16, tf.float32))
def test_what_goes_is_small_and_what_comes_is_large(case):
    """As above, without any sorting: every pair of positions compared."""
    weights, mask, scores, count = case
    new, dropped, grown = update(*case)
    rank = pairwise_rank(weights, mask)
    kept = max(0, int(mask.sum()) - count)
    assert new[mask & (rank < kept)].all()
    assert (rank[dropped] >= kept).all()
    # No position that stayed out has a larger score than one that came in.
    if grown.any() and not new.all():
        magnitudes = np.abs(oracle.to_float64(scores))
        assert magnitudes[grown].min() >= magnitudes[~new].max()


def pairwise_rank(values, candidates):
    """How many candidates precede each position, by all-pairs comparison."""
    magnitudes = np.abs(oracle.to_float64(values)).ravel()
    magnitudes[np.isnan(magnitudes)] = np.inf
    magnitudes = np.stack([np.isnan(values).ravel(), magnitudes])
    higher = (magnitudes[0][:, None] > magnitudes[0]) | (
        (magnitudes[0][:, None] == magnitudes[0])
        & (magnitudes[1][:, None] > magnitudes[1])
    )
    same = (magnitudes[:, :, None] == magnitudes[:, None, :]).all(0)
    earlier = np.arange(values.size)[:, None] < np.arange(values.size)
    precedes = (higher | (same & earlier)) & candidates.ravel()[:, None]
    return precedes.sum(0).reshape(values.shape)


@strategies.examples(150)
@given(case=strategies.updates((4, 8), tf.bfloat16, tf.bfloat16))
def test_count_zero_changes_nothing(case):
    weights, mask, scores, _ = case
    new, dropped, grown = update(weights, mask, scores, 0)
    np.testing.assert_array_equal(new, mask)
    assert not dropped.any()
    assert not grown.any()


@strategies.examples(150)
@given(case=strategies.updates((4, 8), tf.float32, tf.float32))
def test_only_magnitudes_count(case):
    weights, mask, scores, count = case
    for one, other in zip(
        update(weights, mask, scores, count),
        update(-weights, mask, np.abs(scores), count),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


@strategies.examples(150)
@given(case=strategies.updates((4, 8), tf.float32, tf.float32))
def test_weights_outside_the_mask_do_not_compete(case):
    weights, mask, scores, count = case
    cleared = np.where(mask, weights, np.float32(0))
    loud = np.where(mask, weights, np.float32(np.inf))
    for one, other in zip(
        update(cleared, mask, scores, count),
        update(loud, mask, scores, count),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


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
    for count in (0, 1, 12, 13):
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


def test_negative_count_is_zero():
    mask = np.array([True, False])
    new, _, _ = update(
        np.array([1, 2], np.float32), mask, np.array([1, 2], np.float32), -1
    )
    np.testing.assert_array_equal(new, mask)


def test_arrays_variables_and_python_counts():
    weights, scores = np.array([3.0, 0.0, 1.0]), [0.0, 2.0, 0.0]
    new, _, _ = drop_and_grow(
        tf.Variable(weights), np.array([True, False, True]), scores, 1
    )
    assert new.numpy().tolist() == [True, True, False]


def test_twenty_million_elements():
    size, count = 20_000_000, 300_000
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


@pytest.mark.parametrize(
    ("weights", "mask", "scores"),
    [
        ([1.0, 2.0], [True], [1.0, 2.0]),
        ([1.0, 2.0], [True, False], [1.0]),
        ([[1.0, 2.0]], [True, False], [1.0, 2.0]),
    ],
)
def test_shapes_must_agree(weights, mask, scores):
    with pytest.raises(
        ValueError, match=r"must have the same shape\. Received: \(.*\)\.$"
    ):
        drop_and_grow(weights, mask, scores, 1)


def test_mask_must_be_boolean():
    with pytest.raises(
        TypeError, match=r"`mask` must be a bool tensor.*mask\.dtype=float32"
    ):
        drop_and_grow([1.0], [1.0], [1.0], 1)


@pytest.mark.parametrize(
    ("weights", "scores", "name"),
    [([1], [1.0], "weights"), ([1.0], [1], "grow_scores")],
)
def test_weights_and_scores_must_be_floating_point(weights, scores, name):
    with pytest.raises(
        TypeError,
        match=rf"`{name}` must be floating point.*{name}\.dtype=int32",
    ):
        drop_and_grow(weights, [True], scores, 1)


@pytest.mark.parametrize("shape", [None, [None], [3, None]], ids=str)
def test_shape_must_be_known(shape):
    @tf.function(input_signature=[tf.TensorSpec(shape)], autograph=False)
    def function(weights):
        return drop_and_grow(weights, weights > 0, weights, 1)

    with pytest.raises(ValueError, match=r"shape must be known.*Received: "):
        function(tf.ones([3, 2] if shape and len(shape) == 2 else [3]))


@pytest.mark.parametrize("count", [0.3, 1.0, True])
def test_count_must_be_an_integer(count):
    """A fraction instead of a number would silently drop nothing."""
    with pytest.raises(TypeError, match=r"`count` must be an integer.*dtype="):
        drop_and_grow([1.0], [True], [1.0], count)
