"""Numbers of connections as published, or worked out by hand."""

import pytest

from tests.core.shapes import LENET
from tests.core.shapes import sizes_of
from tests.core.shapes import zeros_at
from tf_rigl.core import distributions
from tf_rigl.core.distribution_types import BUDGETS
from tf_rigl.core.distributions import allocate

SMALL = {"a": (2, 4), "b": (3, 6), "c": (2, 4, 6)}
TALL = {"a": (2, 4), "c": (3, 6, 7), "d": (7, 4)}


def real_sparsities(shapes, sparsity, distribution, power):
    sizes = sizes_of(shapes)
    nonzeros = sum(n - zeros_at(sparsity, n) for n in sizes.values())
    scores = distributions.density_scores(shapes, distribution, power)
    densities = distributions.solve_densities(sizes, scores, nonzeros)
    return {name: 1 - density for name, density in densities.items()}


@pytest.mark.parametrize(
    ("shapes", "sparsity", "distribution", "power", "expected"),
    [
        (SMALL, 0.5, "erk", 1.0, (0, 0.31, 0.655)),
        (SMALL, 0.5, "er", 1.0, (0.21, 0.47, 0.56)),
        (SMALL, 0.8, "erk", 1.0, (0.556, 0.70, 0.85)),
        (SMALL, 0.5, "erk", 2.0, (0, 0.033, 0.758)),
        (TALL, 0.5, "erk", 1.0, (0, 0.64, 0)),
    ],
)
def test_published_densities(shapes, sparsity, distribution, power, expected):
    found = real_sparsities(shapes, sparsity, distribution, power)
    assert list(found) == list(shapes)
    # The published numbers have two or three digits.
    for value, published in zip(found.values(), expected, strict=True):
        digits = max(2, len(str(published).partition(".")[2]))
        assert value == pytest.approx(published, abs=0.51 * 10**-digits)


def test_scores():
    shapes = {"conv": (3, 3, 8, 16), "dense": (8, 16), "vector": (5,), "s": ()}
    scores = distributions.density_scores
    assert scores(shapes, "uniform") == dict.fromkeys(shapes, 1.0)
    assert scores(shapes, "erk") == {
        "conv": 30 / 1152,
        "dense": 24 / 128,
        "vector": 1.0,
        "s": 1.0,
    }
    assert scores(shapes, "er")["conv"] == 24 / 128
    assert scores(shapes, "erk", 2.0)["dense"] == (24 / 128) ** 2
    assert scores(shapes, "er", 0.0) == dict.fromkeys(shapes, 1.0)
    with pytest.raises(ValueError, match="distribution='kre'"):
        scores(LENET, "kre")


@pytest.mark.parametrize("distribution", ["er", "erk"])
@pytest.mark.parametrize(
    ("sparsity", "budget", "expected"),
    [
        (0.9, "global", (18_714, 6_906, 1_000)),
        (0.9, "reference", (18_715, 6_906, 1_000)),
        # ε = 5324 / 1594: shares 3620.6, 1336.0 and 367.4.
        (0.98, "global", (3_621, 1_336, 367)),
    ],
)
def test_lenet_allocation(sparsity, budget, expected, distribution):
    counts = allocate(LENET, sparsity, distribution, budget=budget)
    assert tuple(counts.values()) == expected
    if budget == "global":
        assert sum(expected) == 266_200 - zeros_at(sparsity, 266_200)


def test_equal_scores_are_not_uniform_under_the_published_rule():
    """Both have the density 8/34, and zeros floor(13.8) and floor(12.2)."""
    shapes = {"a": (3, 6), "b": (4, 4)}
    arguments = {"sparsity": 0.8, "budget": "reference"}
    erk = allocate(shapes, distribution="erk", **arguments)
    assert erk == {"a": 5, "b": 4}
    uniform = allocate(shapes, distribution="uniform", **arguments)
    assert uniform == {"a": 4, "b": 4}


@pytest.mark.parametrize(
    ("shape", "sparsity", "ones"),
    [
        ((30, 4), 0.5, 60),
        ((1, 2, 1, 4), 0.8, 2),
        ((30,), 0.1, 27),
        # 1 - 0.9 is a little below 0.1 in binary: the count is of decimals.
        ((100,), 0.9, 10),
        ((10, 10), 0.29, 71),
        # A float of 32 bits next to 0.2.
        ((10,), 0.200000018, 8),
        ((1000,), 0.001, 999),
        # Something always remains.
        ((10,), 0.99, 1),
        ((1,), 0.5, 1),
        ((), 0.0, 1),
    ],
)
@pytest.mark.parametrize("distribution", distributions.NAMES)
@pytest.mark.parametrize("budget", BUDGETS)
def test_one_weight(shape, sparsity, ones, distribution, budget):
    """A single weight has the sparsity asked for, however it is shared."""
    counts = allocate({"w": shape}, sparsity, distribution, budget=budget)
    assert counts == {"w": ones}


def test_uniform_compensates_for_dense_weights():
    shapes = {"stem": (10, 10), "a": (30, 10), "b": (20, 30)}
    counts = allocate(shapes, 0.8, "uniform", dense=["stem"])
    assert counts == {"stem": 100, "a": 33, "b": 67}
    counts = allocate(
        shapes, 0.8, "uniform", dense=["stem"], budget="reference"
    )
    assert counts == {"stem": 100, "a": 60, "b": 120}


def test_tiny_weights_keep_one_connection():
    shapes = {"big": (100, 100), "one": (1,), "two": (2,), "three": (3,)}
    counts = allocate(shapes, 0.999, "uniform")
    assert counts == {"big": 8, "one": 1, "two": 1, "three": 1}


@pytest.mark.parametrize("budget", BUDGETS)
def test_all_dense(budget):
    # The reference budget ignores the sparsity then.
    sparsity = {"global": 0.0, "reference": 0.9}[budget]
    counts = allocate(LENET, sparsity, dense=list(LENET), budget=budget)
    assert counts == sizes_of(LENET)


def test_one_dense_name_is_not_taken_letter_by_letter():
    shapes = {"fc1": (20, 30), "f": (30, 10)}
    counts = allocate(shapes, 0.5, dense="f")
    assert counts == allocate(shapes, 0.5, dense=["f"])
