import itertools

import numpy as np

from tests.core.packing import support
from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing.smallest import choose_smallest


def sizes_of(mask):
    packed = {
        name: encoding.encode(mask) for name, encoding in ENCODINGS.items()
    }
    return {
        name: len(data) for name, data in packed.items() if data is not None
    }


def total(weights, names):
    data = sum(sizes[name] for sizes, name in zip(weights, names, strict=True))
    return data + sum(ENCODINGS[name].graph_bytes for name in set(names))


def test_each_structure_gets_its_own():
    random = np.random.default_rng(0)
    weights = [
        sizes_of(random.random((1000, 1000)) < 0.05),
        sizes_of(support.n_by_m_mask((1000, 1000), 2, 4)),
        sizes_of(support.block_mask((1000, 1000), 5, 5, 0.3)),
    ]
    assert choose_smallest(weights) == ["gaps", "n_by_m", "block_mask"]


def test_a_small_gain_is_not_worth_another_decoder():
    random = np.random.default_rng(0)
    weights = [
        sizes_of(random.random((1000, 1000)) < 0.05),
        sizes_of(support.block_mask((20, 20), 5, 5, 0.3)),
    ]
    assert choose_smallest(weights) == ["gaps", "gaps"]


def test_nothing_smaller_exists():
    """Against all combinations."""
    random = np.random.default_rng(1)
    for _ in range(20):
        weights = []
        for _ in range(3):
            names = random.choice([*ENCODINGS], 3, replace=False)
            weights.append({name: int(random.integers(9000)) for name in names})
        best = min(total(weights, one) for one in itertools.product(*weights))
        assert total(weights, choose_smallest(weights)) == best


def test_no_weights():
    assert choose_smallest([]) == []
