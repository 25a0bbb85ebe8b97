"""Treatments of pruned weights against loops over positions."""

import random

import numpy as np
import pytest

from tf_rigl.core import random_masks
from tf_rigl.core import treatments

SEED = random_masks.stateless_seed(3, "dense/kernel")


def make_weight(shape=(12, 10), seed=0, dtype="float32"):
    """Eighths, so that some have not moved and some have changed the sign."""
    generator = np.random.default_rng(seed)
    initial = (generator.integers(-8, 9, shape) / 8).astype(dtype)
    final = (generator.integers(-8, 9, shape) / 8).astype(dtype)
    before = generator.random(shape) < 0.8
    mask = before & (generator.random(shape) < 0.6)
    return treatments.PrunedWeight(initial, final, before, mask, SEED)


def expected(name, weight, start):
    """The rules of section 4, one position after the other."""
    values = np.empty_like(weight.initial)
    for place in np.ndindex(values.shape):
        first, last = weight.initial[place], weight.final[place]
        shrank, grew = abs(last) < abs(first), abs(last) > abs(first)
        if weight.mask[place]:
            is_zero = name == "movement_all" and shrank
            values[place] = 0 if is_zero else start[place]
        elif weight.before[place]:
            is_zero = {
                "zero": True,
                "initial": False,
                "movement": shrank,
                "movement_all": shrank,
                "reverse_movement": grew,
            }[name]
            values[place] = 0 if is_zero else first
        else:
            values[place] = last
    return values


@pytest.mark.parametrize(
    "name", sorted(set(treatments.TREATMENTS) - {"reshuffled_movement"})
)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_values(name, dtype):
    weight = make_weight(dtype=dtype)
    start = np.random.default_rng(1).normal(size=(12, 10)).astype(dtype)
    for given in (None, start):
        values = treatments.treated(name, weight, given)
        assert values.dtype == dtype
        np.testing.assert_array_equal(
            values,
            expected(name, weight, weight.initial if given is None else given),
        )


def test_the_reshuffled_control():
    """As many zeros among those pruned now, and all else as with movement."""
    weight = make_weight()
    zeros = treatments.reshuffled_movement(weight)
    by_movement = treatments.movement(weight)
    assert zeros.sum() == by_movement.sum() > 5
    assert np.any(zeros != by_movement)
    assert not np.any(zeros & ~weight.pruned)
    values = treatments.treated("reshuffled_movement", weight)
    np.testing.assert_array_equal(
        values[~weight.pruned],
        treatments.treated("movement", weight)[~weight.pruned],
    )
    np.testing.assert_array_equal(
        values[weight.pruned],
        np.where(zeros, 0, weight.initial)[weight.pruned],
    )

    again = treatments.reshuffled_movement(weight)
    np.testing.assert_array_equal(zeros, again)
    other = weight._replace(seed=random_masks.stateless_seed(4, "dense/kernel"))
    assert np.any(treatments.reshuffled_movement(other) != zeros)


@pytest.mark.slow
def test_the_places_of_the_control_are_uniform():
    """Each pruned place is zero as often as any other, over seeds."""
    size, shrank, draws = 20, 5, 400
    final = np.full(size, 2.0, "float32")
    final[:shrank] = 0.5
    weight = treatments.PrunedWeight(
        np.ones(size, "float32"),
        final,
        np.ones(size, bool),
        np.zeros(size, bool),
        SEED,
    )
    counts = np.zeros(size)
    for seed in random.Random(0).sample(range(10_000), draws):
        drawn = weight._replace(seed=random_masks.stateless_seed(seed, "k"))
        counts += treatments.reshuffled_movement(drawn)
    share = shrank / size
    error = np.sqrt(share * (1 - share) / draws)
    assert np.abs(counts / draws - share).max() < 4 * error


@pytest.mark.parametrize("name", sorted(treatments.TREATMENTS))
def test_nothing_is_pruned(name):
    weight = make_weight()._replace(
        before=np.ones((12, 10), bool), mask=np.ones((12, 10), bool)
    )
    values = treatments.treated(name, weight)
    zeros = weight.shrank if name == "movement_all" else False
    np.testing.assert_array_equal(values, np.where(zeros, 0, weight.initial))


@pytest.mark.parametrize("name", sorted(treatments.TREATMENTS))
def test_a_frozen_weight_stays_as_it_was_frozen(name):
    """Two rounds: what the first has frozen, the second leaves alone."""
    first = make_weight()
    values = treatments.treated(name, first)
    final = make_weight(seed=1).final
    second = first._replace(
        final=np.where(first.mask, final, values),
        before=first.mask,
        mask=first.mask & make_weight(seed=2).mask,
    )
    after = treatments.treated(name, second)
    frozen = ~first.mask
    np.testing.assert_array_equal(after[frozen], values[frozen])
    assert second.pruned.sum() > 5
