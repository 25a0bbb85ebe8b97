"""One threshold over weights of different scales."""

import numpy as np
import pytest

from tests import support
from tests.algorithms.support import make_weight
from tests.algorithms.support import make_when
from tf_rigl.algorithms import STE
from tf_rigl.algorithms import GradualPruning
from tf_rigl.algorithms import OneShot

GLOBAL = {"criterion": "normalized_magnitude", "scope": "global"}
METHODS = [OneShot(0, **GLOBAL), GradualPruning(4, 1, **GLOBAL), STE(**GLOBAL)]


def masks_of(algorithm, scales, dtype=np.float32):
    random = np.random.default_rng(0)
    weights = [
        make_weight(
            (scale * random.normal(size=size)).astype(dtype),
            np.ones(size, bool),
            np.zeros(size, dtype),
            size // 4,
        )
        for scale, size in zip(scales, (20, 60), strict=True)
    ]
    results = algorithm.update(weights, make_when(2))
    return [result.masks.mask.numpy() for result in results]


@pytest.mark.parametrize("algorithm", METHODS, ids=lambda one: one.name)
def test_scales_do_not_matter(algorithm):
    """A magnitude alone would empty the weight of small values."""
    expected = masks_of(algorithm, (1, 1))
    for scales in ((2**-20, 1), (1, 2**-70), (2**30, 3)):
        support.assert_all_equal(masks_of(algorithm, scales), expected)
    small, _ = masks_of(OneShot(0, scope="global"), (2**-20, 1))
    assert not small.any()
