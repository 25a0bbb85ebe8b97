"""Random sparse weights, and what float64 NumPy says of them."""

from typing import NamedTuple

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tf_rigl import native
from tf_rigl.native import kernels

LEVELS = (0, 1, 2)

needs_library = pytest.mark.skipif(
    not native.available(), reason=native.why_unavailable()
)


def examples(count):
    return hypothesis.settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


class Case(NamedTuple):
    """A weight [K, N] with a mask, data for it, and how its index is."""

    mask: np.ndarray
    weight: np.ndarray  # 0 where the mask is
    x: np.ndarray
    dy: np.ndarray
    bias: np.ndarray
    index: kernels.Index
    values: np.ndarray


# Around the widths of vectors and tiles, and anything between.
SIZES = st.one_of(
    st.sampled_from([1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 65, 127, 130]),
    st.integers(1, 200),
)
BATCHES = st.one_of(
    st.sampled_from([0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 64, 97, 128, 129]),
    st.integers(1, 300),
)
DENSITIES = st.sampled_from([0, 0.01, 0.05, 0.1, 0.3, 0.6, 1])


@st.composite
def arguments(draw):
    """Arguments of `make`."""
    return {
        "shape": (draw(SIZES), draw(SIZES)),
        "batch": draw(BATCHES),
        "density": draw(DENSITIES),
        "wide": draw(st.sampled_from([None, True])),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "integers": draw(st.booleans()),
    }


def make(shape, batch, density, wide=None, seed=0, integers=False):
    random = np.random.default_rng(seed)

    def numbers(*size):
        if integers:
            return random.integers(-4, 5, size).astype(np.float32)
        return random.normal(size=size).astype(np.float32)

    mask = random.random(shape) < density
    # Empty rows and columns are at the ends, too.
    mask &= random.random((shape[0], 1)) > 0.1
    mask &= random.random((1, shape[1])) > 0.1
    weight = np.where(mask, numbers(*shape), np.float32(0))
    listed = random.permutation(np.flatnonzero(mask))
    index, order = kernels.reindex(listed, *shape, wide)
    return Case(
        mask,
        weight,
        numbers(batch, shape[0]),
        numbers(batch, shape[1]),
        numbers(shape[1]),
        index,
        weight.ravel()[listed][order],
    )


def assert_sums(found, expected, magnitudes, terms):
    """Sums of float32 of so many terms, whose magnitudes sum up to those."""
    bound = (terms + 2) * 2.0**-24 * magnitudes + 1e-30
    excess = np.abs(found - expected) - bound
    assert np.all(excess <= 0), np.max(excess)


def doubles(*arrays):
    return [array.astype(np.float64) for array in arrays]


def assert_products(case):
    x, dy, weight, bias = doubles(case.x, case.dy, case.weight, case.bias)
    inputs, outputs = weight.shape
    absolute = [np.abs(one) for one in (x, dy, weight, bias)]

    y = kernels.spmm(case.x, case.values, case.index, case.bias)
    assert_sums(
        y,
        x @ weight + bias,
        absolute[0] @ absolute[2] + absolute[3],
        inputs + 1,
    )

    dx, dvalues, dbias = kernels.spmm_gradients(
        case.dy, case.x, case.values, case.index
    )
    assert_sums(dx, dy @ weight.T, absolute[1] @ absolute[2].T, outputs)
    # Values are ordered by output, then by input.
    active = case.mask.T
    assert_sums(
        dvalues,
        (x.T @ dy).T[active],
        (absolute[0].T @ absolute[1]).T[active],
        len(x),
    )
    assert_sums(dbias, dy.sum(0), absolute[1].sum(0), len(x))
    nothing, *same = kernels.spmm_gradients(
        case.dy, case.x, case.values, case.index, input_gradient=False
    )
    assert nothing is None
    assert np.array_equal(same[0], dvalues) and np.array_equal(same[1], dbias)


def assert_index(case):
    kernels.check_index(case.index)
    index, mask = case.index, case.mask
    assert np.array_equal(np.diff(index.row_ptr), mask.sum(0))
    assert np.array_equal(np.diff(index.t_ptr), mask.sum(1))
    assert np.array_equal(index.cols, np.nonzero(mask.T)[1])
    assert np.array_equal(index.t_cols, np.nonzero(mask)[1])
    flat = np.flatnonzero(mask)
    assert np.array_equal(kernels.positions_of(index), flat)
    ordered = case.weight.ravel()[flat]
    assert np.array_equal(case.values[index.t_perm], ordered)


def best_inactive(scores, mask, count):
    """The best positions, ascending, by a stable sort of all."""
    scores = np.where(mask, -1, scores).ravel()
    best = np.argsort(-scores, kind="stable")[:count]
    best = np.sort(best[scores[best] >= 0])
    missing = np.full(count - len(best), -1)
    return np.append(best, missing), np.append(scores[best], missing)


def assert_growth(case, count):
    """Exactly as by sorting, for data whose sums are exact."""
    gradient = case.x.astype(np.float64).T @ case.dy
    expected = best_inactive(np.abs(gradient), case.mask, count)
    found = kernels.grow(case.x, case.dy, case.index, count)
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])
