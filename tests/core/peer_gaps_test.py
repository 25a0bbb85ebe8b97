"""What other libraries show of masks and no other test of ours does.

`tests/peer_behaviors.py` lists all such behaviors, each with its tests.
"""

import math

import numpy as np
import pytest

import tf_rigl
from tests.algorithms import support
from tf_rigl.core import random_masks

LENET = {"fc1": (784, 300), "fc2": (300, 100), "out": (100, 10)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(24,), (6, 4), (2, 3, 4)], ids=str)
@pytest.mark.parametrize(
    "grow_init", ["zeros", "gradient", "random", "initial"]
)
def test_new_values_are_like_the_weight(grow_init, shape, dtype):
    """★ Of its shape and its dtype, whatever connections begin at."""
    random = np.random.default_rng(0)
    dense, gradient, initial = random.normal(size=(3, *shape)).astype(dtype)
    mask = random_masks.random_mask(shape, 12, 0, "w").numpy()
    values = np.where(mask, dense, dtype(0))
    weight = support.make_weight(
        values, mask, gradient, state={"initial_values": initial}
    )
    algorithm = tf_rigl.RigL(9, 1, drop_fraction=0.5, grow_init=grow_init)
    (result,) = algorithm.update([weight], support.make_when(0))
    grown = result.masks.grown.numpy()
    assert grown.shape == shape
    assert grown.any()
    if grow_init == "zeros":
        assert result.values is None  # What is there stays: zeros.
        return
    assert result.values.dtype == dtype
    assert result.values.shape == shape
    new = result.values.numpy()
    expected = {"gradient": gradient, "initial": initial}.get(grow_init, new)
    np.testing.assert_array_equal(new, np.where(grown, expected, values))
    assert np.all(new[grown])


@pytest.mark.parametrize("sparsity", [0, 0.5, 0.95])
@pytest.mark.parametrize(
    "shape", [(1,), (1, 1), (7,), (6, 4), (3, 3, 2, 4)], ids=str
)
@pytest.mark.parametrize("method", [tf_rigl.RigL, tf_rigl.SET])
def test_updates_keep_the_number_of_connections(method, shape, sparsity):
    """★ For weights of one element, full ones and nearly empty ones."""
    (nonzeros,) = tf_rigl.allocate({"w": shape}, sparsity).values()
    algorithm = method(9, 1, drop_fraction=0.5, decay="constant")
    mask = random_masks.random_mask(shape, nonzeros, 0, "w").numpy()
    random = np.random.default_rng(0)
    for update in range(3):
        dense, gradient = random.normal(size=(2, *shape)).astype(np.float32)
        mask, dropped, grown = support.update_one(
            algorithm, np.where(mask, dense, 0), mask, gradient, update
        )
        mask = mask.numpy()
        assert np.count_nonzero(mask) == nonzeros
        assert np.sum(dropped) == np.sum(grown) <= nonzeros // 2
        free = math.prod(shape) - nonzeros
        assert free or not np.any(grown)


def test_own_sparsities_beside_erdos_renyi():
    """★ A callable may fix some weights and share the rest by ER or ERK."""
    fixed = {"out": 0.25}

    def distribution(shapes, sparsity):
        others = {name: shapes[name] for name in shapes if name not in fixed}
        counts = tf_rigl.allocate(others, sparsity, "er")
        return fixed | {
            name: 1 - counts[name] / math.prod(others[name]) for name in others
        }

    counts = tf_rigl.allocate(LENET, 0.9, distribution, budget="reference")
    others = {name: LENET[name] for name in ("fc1", "fc2")}
    assert counts == tf_rigl.allocate(others, 0.9, "er") | {"out": 750}
