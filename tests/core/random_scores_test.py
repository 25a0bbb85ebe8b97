import numpy as np
import pytest
import tensorflow as tf

from tf_rigl.core.random_masks import random_normal
from tf_rigl.core.random_masks import random_scores
from tf_rigl.core.random_masks import stateless_seed

SHAPE = (50, 400)
SEED = stateless_seed(3, "layer/kernel", 7)


@pytest.mark.parametrize("function", [random_scores, random_normal])
def test_same_bits_in_every_mode(function):
    eager = function(SHAPE, SEED).numpy()
    for jit_compile in (False, True):
        compiled = tf.function(function, jit_compile=jit_compile)
        np.testing.assert_array_equal(compiled(SHAPE, SEED), eager)


@pytest.mark.parametrize("function", [random_scores, random_normal])
def test_depends_on_seed_weight_and_step(function):
    first = function(SHAPE, SEED).numpy()
    for other in (
        stateless_seed(4, "layer/kernel", 7),
        stateless_seed(3, "other/kernel", 7),
        stateless_seed(3, "layer/kernel", 8),
    ):
        assert np.mean(function(SHAPE, other).numpy() == first) < 0.01


def test_scores_are_in_range_and_hardly_tied():
    scores = random_scores(SHAPE, SEED).numpy()
    assert np.all((scores >= 0) & (scores < 1))
    assert len(np.unique(scores)) > 0.999 * scores.size


def test_normal_moments():
    values = random_normal((200_000,), SEED).numpy()
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert np.all(np.abs(values) <= 6)
