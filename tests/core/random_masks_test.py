import hashlib
import math
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tf_rigl.core import random_masks
from tf_rigl.core.random_masks import random_mask

# The mask of `digest()` on every machine, in every process, whose hashes of
# strings differ, and with every later version: a run that is repeated from its
# seed begins with the same connections.
DIGEST = "a08ea7f87dc375282a7a894dd1479fb2aec16f19eb66e067ec54d744bb62e67d"

SHAPE = (50, 400)
SEED = random_masks.stateless_seed(3, "layer", 7)
DRAWS = [random_masks.random_scores, random_masks.random_normal]


def digest():
    mask = random_mask((40, 50), 700, seed=3, path="dense/kernel")
    return hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()


@strategies.examples(60)
@given(
    shape=st.sampled_from([(), (1,), (9,), (3, 5), (2, 3, 2, 4)]),
    share=st.floats(0, 1),
    seed=st.integers(-(2**31), 2**31 - 1),
    path=st.text(max_size=20),
)
def test_counts_are_exact(shape, share, seed, path):
    nonzeros = round(share * math.prod(shape))
    mask = random_mask(shape, nonzeros, seed, path)
    assert mask.dtype == tf.bool
    assert mask.shape == shape
    assert np.count_nonzero(mask) == nonzeros


def test_count_beyond_float32():
    nonzeros = 2**24 + 1
    draw = tf.function(
        lambda: random_mask((2**12, 2**12 + 1), nonzeros, 0, "w"),
        jit_compile=True,
    )
    assert np.count_nonzero(draw()) == nonzeros


@pytest.fixture(name="draws", scope="module")
def draws_fixture():
    """Masks of 9 among 30 positions, one row for each of 400 seeds."""
    return np.stack(
        [
            random_mask((5, 6), 9, seed, "w").numpy().ravel()
            for seed in range(400)
        ]
    )


def test_every_position_is_as_likely_as_another(draws):
    seeds, size = draws.shape
    share = 9 / size
    variance = seeds * share * (1 - share)
    chi_square = ((draws.sum(0) - seeds * share) ** 2 / variance).sum()
    # The sum over positions is fixed, hence the factor and 29 degrees of
    # freedom, of which 99.9 % of draws lie between the bounds.
    assert 10.1 < chi_square * (size - 1) / size < 60.9


def test_positions_do_not_attract_or_repel_each_other(draws):
    """Neighbours are active together as often as chance has it."""
    seeds, size = draws.shape
    expected = seeds * size * (9 / size) * (8 / (size - 1))
    together = np.count_nonzero(draws & np.roll(draws, 1, axis=1))
    assert abs(together - expected) < 4 * math.sqrt(expected)


def test_mask_of_fewer_is_a_part_of_the_mask_of_more():
    few = random_mask((100,), 20, 5, "w")
    many = random_mask((100,), 60, 5, "w")
    assert not np.any(few & ~many)


def test_same_with_every_version_and_global_seed():
    for seed in (1, 2):
        tf.random.set_seed(seed)
        assert digest() == DIGEST


@pytest.mark.parametrize("shape", [(), (1,), (0,), (50, 20)], ids=str)
@pytest.mark.parametrize("mode", strategies.MODES)
def test_shuffled_elements_are_all_there(shape, mode):
    values = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    shuffle = strategies.compiled(random_masks.shuffle, mode)
    found, again, other = (
        shuffle(values, random_masks.stateless_seed(seed, "w"))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(found, again)
    np.testing.assert_array_equal(np.sort(found, None), values.ravel())
    if values.size > 1:
        for one, another in ((found, values), (found, other)):
            # By chance one element of all is where it was.
            assert np.count_nonzero(one == another) < 10


def test_every_order_is_as_likely():
    """Each of 6 orders by chance 100 ± 9 times of 600."""
    shuffle = tf.function(random_masks.shuffle)
    orders = [
        tuple(shuffle(tf.range(3), tf.constant([seed, 7], tf.int64)).numpy())
        for seed in range(600)
    ]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert 60 < min(counts) <= max(counts) < 140


@pytest.mark.parametrize("mode", strategies.MODES)
def test_seed_holds_seed_path_and_step(mode):
    def make(step):
        return random_masks.stateless_seed(-7, "a/kernel", step)

    make = strategies.compiled(make, mode)
    path = zlib.crc32(b"a/kernel") << 31
    for step in (0, 5, 2**31 - 1):
        seed = make(tf.constant(step))
        assert seed.dtype == tf.int64
        assert seed.numpy().tolist() == [-7, path + step]


@pytest.mark.parametrize("function", DRAWS)
def test_same_bits_in_every_mode(function):
    eager = function(SHAPE, SEED).numpy()
    for jit_compile in (False, True):
        compiled = tf.function(function, jit_compile=jit_compile)
        np.testing.assert_array_equal(compiled(SHAPE, SEED), eager)


@pytest.mark.parametrize("function", DRAWS)
def test_depends_on_seed_weight_and_step(function):
    first = function(SHAPE, SEED).numpy()
    for other in ((4, "layer", 7), (3, "other", 7), (3, "layer", 8)):
        seed = random_masks.stateless_seed(*other)
        assert np.mean(function(SHAPE, seed).numpy() == first) < 0.01


def test_scores_are_in_range_and_hardly_tied():
    scores = random_masks.random_scores(SHAPE, SEED).numpy()
    assert np.all((scores >= 0) & (scores < 1))
    assert len(np.unique(scores)) > 0.999 * scores.size


def test_normal_moments():
    values = random_masks.random_normal((200_000,), SEED).numpy()
    assert abs(values.mean()) < 0.01
    assert abs(values.std() - 1) < 0.01
    assert np.all(np.abs(values) <= 6)
