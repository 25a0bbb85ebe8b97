import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.core import bernoulli

LOGITS = np.random.default_rng(0).normal(size=(300, 200)).astype(np.float32)


def test_masks_are_equal_eager_compiled_and_under_xla():
    def draw(number):
        return bernoulli.draw(tf.constant(LOGITS), 3, "layer/kernel", number)

    number = tf.constant(7, tf.int64)
    mask = draw(number).numpy()
    for xla in (False, True):
        compiled = tf.function(draw, jit_compile=xla)
        np.testing.assert_array_equal(compiled(number).numpy(), mask)


def test_positions_are_active_by_their_odds():
    """Within four standard deviations, for each of five odds."""
    for odds in (0.02, 0.3, 0.5, 0.7, 0.98):
        logits = tf.fill((400, 500), np.float32(np.log(odds / (1 - odds))))
        mask = bernoulli.draw(logits, 0, "layer/kernel", 0).numpy()
        deviation = np.sqrt(odds * (1 - odds) / mask.size)
        assert abs(mask.mean() - odds) < 4 * deviation


@pytest.mark.parametrize(
    "other",
    [(1, "layer/kernel", 0), (0, "other/kernel", 0), (0, "layer/kernel", 1)],
)
def test_seed_path_and_number_each_give_another_mask(other):
    logits = tf.zeros((200, 200))
    first = bernoulli.draw(logits, 0, "layer/kernel", 0).numpy()
    second = bernoulli.draw(logits, *other).numpy()
    # Independent masks of even odds agree at one half of the positions.
    assert 0.48 < np.mean(first == second) < 0.52


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_threshold(at):
    mask = bernoulli.threshold(LOGITS, at)
    odds = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    np.testing.assert_array_equal(mask, odds > at)


def test_even_odds_are_not_above_one_half():
    assert not bernoulli.threshold(np.zeros(3, np.float32), 0.5).any()
