"""Numbers of connections against budgets and rational numbers."""

import math
from fractions import Fraction

import pytest
from hypothesis import assume
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tests.core.shapes import SPARSITIES
from tests.core.shapes import shape_maps
from tests.core.shapes import sizes_of
from tests.core.shapes import subsets
from tests.core.shapes import zeros_at
from tf_rigl.core import distributions
from tf_rigl.core.distributions import allocate

NAMED = st.sampled_from(distributions.NAMES)
POWERS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.7])
every_case = given(
    data=st.data(),
    shapes=shape_maps(),
    sparsity=SPARSITIES,
    distribution=NAMED,
    power=POWERS,
)


def is_feasible(sizes, dense, sparsity):
    total = sum(sizes.values())
    left = total - zeros_at(sparsity, total)
    left -= sum(sizes[name] for name in dense)
    return left >= len(sizes) - len(dense)


@strategies.examples(400)
@every_case
def test_global_budget(data, shapes, sparsity, distribution, power):
    """Met to the last connection, whatever stays dense."""
    sizes = sizes_of(shapes)
    total = sum(sizes.values())
    dense = data.draw(subsets(shapes))
    assume(is_feasible(sizes, dense, sparsity))
    assume(len(dense) < len(shapes) or zeros_at(sparsity, total) == 0)
    counts = allocate(shapes, sparsity, distribution, dense=dense, power=power)
    assert list(counts) == list(shapes)
    assert sum(counts.values()) == total - zeros_at(sparsity, total)
    for name, count in counts.items():
        assert isinstance(count, int)
        assert 1 <= count <= sizes[name]
        assert name not in dense or count == sizes[name]


@strategies.examples(300)
@every_case
def test_reference_budget(data, shapes, sparsity, distribution, power):
    """Ignores what stays dense; the others do not depend on it."""
    sizes = sizes_of(shapes)
    dense = data.draw(subsets(shapes))
    arguments = {"budget": "reference", "power": power}
    counts = allocate(shapes, sparsity, distribution, dense=dense, **arguments)

    assert list(counts) == list(shapes)
    for name, count in counts.items():
        assert 1 <= count <= sizes[name]
        assert name not in dense or count == sizes[name]
    rest = {name: shape for name, shape in shapes.items() if name not in dense}
    if rest:
        alone = allocate(rest, sparsity, distribution, **arguments)
        assert alone == {name: counts[name] for name in rest}
        target = sum(n - zeros_at(sparsity, n) for n in sizes_of(rest).values())
        # Each zero count is rounded down, and one connection always stays.
        assert abs(sum(alone.values()) - target) <= len(rest)


@strategies.examples(300)
@given(
    shapes=shape_maps(),
    sparsity=SPARSITIES,
    distribution=st.sampled_from(["er", "erk"]),
    power=POWERS,
)
def test_densities_are_proportional(shapes, sparsity, distribution, power):
    """Unless a weight is dense, its density over its score is ε."""
    sizes = sizes_of(shapes)
    total = sum(sizes.values())
    nonzeros = total - zeros_at(sparsity, total)
    scores = distributions.density_scores(shapes, distribution, power)
    densities = distributions.solve_densities(sizes, scores, nonzeros)
    assert list(densities) == list(shapes)
    spent = math.fsum(densities[name] * sizes[name] for name in sizes)

    assert spent == pytest.approx(nonzeros)
    ratios = [
        densities[name] / scores[name]
        for name in sizes
        if densities[name] < 1 - 1e-9
    ]
    if ratios:
        assert max(ratios) == pytest.approx(min(ratios))
        # Nobody is dense who need not be.
        for name, density in densities.items():
            if density >= 1 - 1e-9:
                assert ratios[0] * scores[name] >= 1 - 1e-9


def exact_shares(shapes, distribution, nonzeros):
    """Real-valued counts, in rational arithmetic."""
    dims = {
        name: shape[-2:] if distribution == "er" else shape
        for name, shape in shapes.items()
    }
    shares = {
        name: Fraction(sum(dim), math.prod(dim)) if dim else Fraction(1)
        for name, dim in dims.items()
    }
    sizes = sizes_of(shapes)
    if distribution == "uniform":
        shares = dict.fromkeys(shapes, Fraction(1))
    shares = {name: share * sizes[name] for name, share in shares.items()}
    dense = set()

    while len(dense) < len(sizes):
        rest = nonzeros - sum(sizes[name] for name in dense)
        scale = rest / sum(shares[name] for name in sizes if name not in dense)
        # One at a time, as other implementations do: the end is the same.
        over = [
            name
            for name in sizes
            if name not in dense and scale * shares[name] > sizes[name]
        ]
        if not over:
            break
        dense.add(max(over, key=lambda name: shares[name] / sizes[name]))
    return {
        name: Fraction(size) if name in dense else scale * shares[name]
        for name, size in sizes.items()
    }


@strategies.examples(300)
@given(shapes=shape_maps(), sparsity=SPARSITIES, distribution=NAMED)
def test_reference_counts_are_those_of_rational_numbers(
    shapes, sparsity, distribution
):
    sizes = sizes_of(shapes)
    nonzeros = {n: max(1, k - zeros_at(sparsity, k)) for n, k in sizes.items()}
    shares = exact_shares(shapes, distribution, sum(nonzeros.values()))
    if distribution == "uniform":
        shares = nonzeros
    counts = allocate(shapes, sparsity, distribution, budget="reference")
    for name, size in sizes.items():
        expected = size - math.floor(size - shares[name])
        assert counts[name] == max(1, expected)


@strategies.examples(300)
@given(shapes=shape_maps(), sparsity=SPARSITIES, distribution=NAMED)
def test_global_counts_are_those_of_rational_numbers(
    shapes, sparsity, distribution
):
    """Rounded down, and the largest remainders get one more."""
    total = sum(sizes_of(shapes).values())
    nonzeros = total - zeros_at(sparsity, total)
    shares = exact_shares(shapes, distribution, nonzeros)
    # Weights with a share below 1 are lifted to 1 at the others' expense.
    assume(min(shares.values()) >= 1)
    expected = {name: math.floor(share) for name, share in shares.items()}
    # A stable sort: ties go to the weight named first.
    by_remainder = sorted(shares, key=lambda name: -(shares[name] % 1))
    for name in by_remainder[: nonzeros - sum(expected.values())]:
        expected[name] += 1
    assert allocate(shapes, sparsity, distribution) == expected
