import numpy as np
import pytest
import tensorflow as tf

from tests.core import strategies
from tests.methods import ranking
from tf_rigl.core import criteria
from tf_rigl.core import mask_criteria
from tf_rigl.core import selection
from tf_rigl.core.criteria import Evidence

# Zeros, ties, changed signs and neighboring floats among ordinary values.
INITIAL = np.float32([0.5, -0.5, 0.0, 2.0, -1.0, 1.0, -3.0, 0.0, 0.25, 1.5])
FINAL = np.float32([0.5, 0.5, 0.0, 1.0, -1.5, -1.0, 3.0, 0.75, 0.25, 0.0])


def where_sign(keep, values):
    agrees = np.sign(INITIAL) == np.sign(FINAL)
    return np.where(agrees == keep, values, 0)


INCREASE = np.abs(FINAL) - np.abs(INITIAL)
EXPECTED = {
    "large_final": np.abs(FINAL),
    "small_final": -np.abs(FINAL),
    "large_init": np.abs(INITIAL),
    "small_init": -np.abs(INITIAL),
    "magnitude_increase": INCREASE,
    "movement": np.abs(FINAL - INITIAL),
    "large_final_same_sign": where_sign(True, np.abs(FINAL)),
    "large_final_diff_sign": where_sign(False, np.abs(FINAL)),
    "magnitude_increase_same_sign": where_sign(True, INCREASE),
    "magnitude_increase_diff_sign": where_sign(False, INCREASE),
}


def evidence(initial, final, candidates=None):
    return Evidence(
        tf.constant(final),
        tf.constant(initial),
        candidates=None if candidates is None else tf.constant(candidates),
    )


def ranks(scores, candidates):
    """Places in ascending order; of ties the lowest index comes last."""
    places = np.full(scores.shape, -1)
    indices = np.flatnonzero(candidates)
    order = sorted(indices, key=lambda index: (scores[index], -index))
    places[order] = np.arange(len(order))
    return places


def test_every_criterion_has_an_oracle():
    assert {*EXPECTED, *mask_criteria.RANKED} == {*mask_criteria.MASK_CRITERIA}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_scores(name):
    scores = criteria.CRITERIA[name].score(evidence(INITIAL, FINAL))
    np.testing.assert_array_equal(scores, EXPECTED[name])


@pytest.mark.parametrize("name", sorted(mask_criteria.RANKED))
@pytest.mark.parametrize("seed", range(3))
def test_both_thresholds_cut_the_same_share(name, seed):
    """The exact form of the paper's α: minima of two ranks."""
    generator = np.random.default_rng(seed)
    initial, final = np.float32(generator.integers(-20, 20, (2, 200)) / 8)
    candidates = generator.random(200) < 0.7
    sign = 1 if name.startswith("large") else -1
    expected = np.minimum(
        ranks(sign * np.abs(initial), candidates),
        ranks(sign * np.abs(final), candidates),
    )

    scores = (
        criteria.CRITERIA[name]
        .score(evidence(initial, final, candidates))
        .numpy()
    )

    shift = 200 - np.count_nonzero(candidates)
    np.testing.assert_array_equal(
        scores[candidates] - shift, expected[candidates]
    )
    for count in (0, 1, 17, np.count_nonzero(candidates)):
        mask = selection.largest_mask(
            tf.constant(scores), tf.constant(candidates), count
        )
        np.testing.assert_array_equal(
            mask, ranking.largest(expected, candidates, count)
        )


# One of magnitudes, one that is signed, one of ranks.
COMPILED = (
    "movement",
    "magnitude_increase_same_sign",
    "small_init_small_final",
)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in COMPILED else [pytest.mark.slow])
        for name in sorted(mask_criteria.MASK_CRITERIA)
    ],
)
def test_masks_are_equal_in_every_mode(name):
    """With ties, zeros and neighboring floats: eager, in a graph, by XLA."""
    generator = np.random.default_rng(0)
    initial, final = np.float32(generator.integers(-20, 20, (2, 300)) / 8)
    final[::3] = np.nextafter(final[::3], np.float32(9))
    candidates = generator.random(300) < 0.7
    criterion = criteria.CRITERIA[name]

    def keep(initial, final, candidates):
        given = Evidence(final, initial, candidates=candidates)
        scores = criterion.score(given)
        scores = criteria.ranks(scores) if criterion.signed else scores
        return selection.largest_mask(scores, candidates, 100)

    eager, graph, xla = (
        strategies.run(keep, mode, initial, final, candidates)
        for mode in strategies.MODES
    )
    assert np.count_nonzero(eager) == 100
    np.testing.assert_array_equal(graph, eager)
    np.testing.assert_array_equal(xla, eager)


def test_narrow_types_are_compared_as_float32():
    """In bfloat16 the difference of these two would round to another."""
    final = tf.constant([1.0, 256.0], tf.bfloat16)
    initial = tf.constant([0.00390625, -1.0], tf.bfloat16)
    scores = criteria.CRITERIA["movement"].score(Evidence(final, initial))
    np.testing.assert_array_equal(scores, np.float32([0.99609375, 257.0]))


def test_ranks_are_exact_beyond_float32():
    """Above 2^24 neighboring ranks would tie in float32."""
    keys = tf.range(2**24 + 3)
    highest = mask_criteria._ranks(keys, tf.fill(keys.shape, True))[-3:]
    assert len(np.unique(highest)) == 3
