"""Lists of connections give the masks of dense tensors."""

import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.core import connections
from tf_rigl.core import drop_and_grow
from tf_rigl.core import random_masks


def _listed(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(np.flatnonzero(mask)).astype(np.int64)


def _candidates(scores, mask, number):
    """Sorts all inactive positions, in NumPy."""
    inactive = np.flatnonzero(~mask)
    order = np.lexsort((inactive, -np.abs(scores.flat[inactive])))
    best = inactive[order[:number]].astype(np.int64)
    missing = number - best.size
    return (
        np.pad(best, (0, missing), constant_values=-1),
        np.pad(
            np.abs(scores.flat[best]), (0, missing), constant_values=-1
        ).astype(np.float32),
    )


@pytest.mark.parametrize("seed", range(6))
def test_moves_the_connections_that_dense_tensors_do(seed):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 9)), int(rng.integers(1, 9)))
    mask = rng.random(shape) < rng.random()
    count = int(rng.integers(0, mask.sum() + 1))
    # Few different numbers, so that many are tied.
    values = np.where(mask, rng.integers(-2, 3, shape), 0).astype(np.float32)
    scores = rng.integers(-2, 3, shape).astype(np.float32)
    dense = drop_and_grow.drop_and_grow(values, mask, scores, count)

    positions = _listed(mask, rng)
    best, best_scores = _candidates(scores, mask, count + seed % 3)
    move = connections.drop_and_grow(
        tf.constant(values.flat[positions]),
        tf.constant(positions),
        tf.constant(scores.flat[positions]),
        tf.constant(best),
        tf.constant(best_scores),
        count,
    )

    active = np.zeros(mask.size, bool)
    active[positions[move.stay.numpy()]] = True
    active[best[move.grows.numpy()]] = True
    np.testing.assert_array_equal(active.reshape(shape), dense.mask)


def test_stays_where_a_score_is_not_finite():
    move = connections.drop_and_grow(
        tf.constant([1.0, 2.0]),
        tf.constant([0, 1], tf.int64),
        tf.constant([1.0, 1.0]),
        tf.constant([2], tf.int64),
        tf.constant([np.nan]),
        1,
    )
    assert move.stay.numpy().all() and not move.grows.numpy().any()
    assert not move.happened


@pytest.mark.parametrize("size, number", [(35, 4), (1000, 999), (50_001, 77)])
def test_draws_the_random_mask_in_blocks(size, number, monkeypatch):
    monkeypatch.setattr(connections, "BLOCK", 1024)
    found = connections.random_positions(size, number, 3, "layer/kernel")
    mask = random_masks.random_mask((size,), number, 3, "layer/kernel")
    np.testing.assert_array_equal(found, np.flatnonzero(mask))


def test_draws_random_candidates_in_blocks(monkeypatch):
    monkeypatch.setattr(connections, "BLOCK", 64)
    rng = np.random.default_rng(0)
    shape = (41, 13)
    mask = rng.random(shape) < 0.2
    positions = _listed(mask, rng)
    seed = random_masks.stateless_seed(1, "kernel", 7)
    scores = random_masks.random_scores(shape, seed).numpy()

    own, best, best_scores = connections.random_candidates(
        mask.size, tf.constant(positions), seed, 50
    )

    np.testing.assert_array_equal(own, scores.flat[positions])
    expected, _ = _candidates(scores, mask, 50)
    np.testing.assert_array_equal(best, np.sort(expected))
    np.testing.assert_array_equal(best_scores, scores.flat[best.numpy()])
