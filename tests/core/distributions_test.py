import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tf_rigl.core import distributions
from tf_rigl.core.distribution_types import BUDGETS
from tf_rigl.core.distributions import allocate

LENET = {"fc1": (784, 300), "fc2": (300, 100), "out": (100, 10)}
SMALL = {"a": (2, 4), "b": (3, 6), "c": (2, 4, 6)}
TALL = {"a": (2, 4), "c": (3, 6, 7), "d": (7, 4)}


def sizes_of(shapes):
    return {name: math.prod(shape) for name, shape in shapes.items()}


def zeros_at(sparsity, size):
    """floor(s · n) of the decimal that s is written as."""
    return math.floor(Fraction(str(sparsity)) * size)


def real_sparsities(shapes, sparsity, distribution, power=1.0, layerwise=True):
    """Sparsities before rounding; `layerwise` floors the budget by layer."""
    sizes = sizes_of(shapes)
    if layerwise:
        nonzeros = sum(n - zeros_at(sparsity, n) for n in sizes.values())
    else:
        total = sum(sizes.values())
        nonzeros = total - zeros_at(sparsity, total)
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


@pytest.mark.parametrize(
    ("sparsity", "expected"),
    [(0.9, (0.92043, 0.76981, 0)), (0.98, (0.98461, 0.95547, 0.63260))],
)
@pytest.mark.parametrize("distribution", ["er", "erk"])
def test_lenet_densities(sparsity, distribution, expected):
    found = real_sparsities(LENET, sparsity, distribution, layerwise=False)
    assert list(found.values()) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("sparsity", "budget", "expected"),
    [
        (0.9, "global", (18_714, 6_906, 1_000)),
        (0.9, "reference", (18_715, 6_906, 1_000)),
        # ε = 5324 / 1594: shares 3620.6, 1336.0 and 367.4.
        (0.98, "global", (3_621, 1_336, 367)),
    ],
)
def test_lenet_allocation(sparsity, budget, expected):
    counts = allocate(LENET, sparsity, budget=budget)
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


def test_lenet_allocation_of_the_published_rule():
    """Zeros are rounded down layer by layer, so each count rounds up."""
    counts = allocate(LENET, 0.98, budget="reference")
    found = real_sparsities(LENET, 0.98, "erk")
    for name, size in sizes_of(LENET).items():
        assert counts[name] == size - math.floor(found[name] * size)


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


@st.composite
def shape_maps(draw):
    """Shapes of a few weights of rank 0 to 4, by name in random order."""
    names = draw(st.permutations("abcdef"))[: draw(st.integers(1, 6))]
    dims = st.lists(st.integers(1, 40), max_size=4).map(tuple)
    return {name: draw(dims) for name in names}


SPARSITIES = st.integers(0, 9999).map(lambda x: x / 10_000)
NAMED = st.sampled_from(distributions.NAMES)
POWERS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.7])


def subsets(shapes):
    return st.sets(st.sampled_from(sorted(shapes)))


def is_feasible(sizes, dense, sparsity):
    total = sum(sizes.values())
    left = total - zeros_at(sparsity, total)
    left -= sum(sizes[name] for name in dense)
    return left >= len(sizes) - len(dense)


@strategies.examples(400)
@given(
    data=st.data(),
    shapes=shape_maps(),
    sparsity=SPARSITIES,
    distribution=NAMED,
    power=POWERS,
)
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
@given(
    data=st.data(),
    shapes=shape_maps(),
    sparsity=SPARSITIES,
    distribution=NAMED,
    power=POWERS,
)
def test_reference_budget(data, shapes, sparsity, distribution, power):
    """What stays dense is ignored; the others do not depend on it."""
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


def test_uniform_compensates_for_dense_weights():
    shapes = {"stem": (10, 10), "a": (30, 10), "b": (20, 30)}
    counts = allocate(shapes, 0.8, "uniform", dense=["stem"])
    assert counts == {"stem": 100, "a": 33, "b": 67}
    counts = allocate(
        shapes, 0.8, "uniform", dense=["stem"], budget="reference"
    )
    assert counts == {"stem": 100, "a": 60, "b": 120}


def test_largest_remainders_get_the_rest():
    """Shares 3.4, 3.4 and 3.2 of 10: ties go to the weight named first."""
    shapes = {"y": (17,), "z": (17,), "x": (16,)}
    assert allocate(shapes, 0.8, "uniform") == {"y": 4, "z": 3, "x": 3}


def test_tiny_weights_keep_one_connection():
    shapes = {"big": (100, 100), "one": (1,), "two": (2,), "three": (3,)}
    counts = allocate(shapes, 0.999, "uniform")
    assert counts == {"big": 8, "one": 1, "two": 1, "three": 1}


@pytest.mark.parametrize("distribution", distributions.NAMES)
def test_sparsity_zero_is_dense(distribution):
    assert allocate(LENET, 0, distribution) == sizes_of(LENET)
    assert allocate(LENET, 0.0, distribution, dense=["fc1"]) == sizes_of(LENET)


@pytest.mark.parametrize("distribution", distributions.NAMES)
def test_highest_sparsity_leaves_one_connection_each(distribution):
    counts = allocate(LENET, 1 - 3 / 266_200, distribution)
    assert counts == {"fc1": 1, "fc2": 1, "out": 1}


@pytest.mark.parametrize("budget", BUDGETS)
def test_all_dense(budget):
    # The reference budget ignores the sparsity then.
    sparsity = {"global": 0.0, "reference": 0.9}[budget]
    counts = allocate(LENET, sparsity, dense=list(LENET), budget=budget)
    assert counts == sizes_of(LENET)


def test_mapping_fixes_the_weights_that_it_names():
    counts = allocate(LENET, 0.9, {"out": 0.5, "fc2": 0.8})
    assert counts == {"fc1": 20_120, "fc2": 6_000, "out": 500}
    counts = allocate(LENET, 0.9, {"out": 0.5}, budget="reference")
    assert counts == {"fc1": 23_520, "fc2": 3_000, "out": 500}


def test_empty_mapping_is_uniform():
    assert allocate(LENET, 0.9, {}) == allocate(LENET, 0.9, "uniform")


@pytest.mark.parametrize("budget", BUDGETS)
def test_all_fixed_by_a_mapping(budget):
    given_sparsities = {"fc1": 0.92, "fc2": 0.77, "out": 0.02}
    total = 18_816 + 6_900 + 980
    counts = allocate(
        LENET, 1 - total / 266_200, given_sparsities, budget=budget
    )
    assert counts == {"fc1": 18_816, "fc2": 6_900, "out": 980}


def test_callable_gets_shapes_and_sparsity():
    def distribution(shapes, sparsity):
        assert shapes == LENET
        return dict.fromkeys(shapes, sparsity)

    counts = allocate(LENET, 0.9, distribution)
    assert counts == {"fc1": 23_520, "fc2": 3_000, "out": 100}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_and_shapes_may_be_numpys(dtype):
    counts = allocate(
        LENET, 0.9, lambda shapes, _: dict.fromkeys(shapes, dtype(0.9))
    )
    assert counts == {"fc1": 23_520, "fc2": 3_000, "out": 100}
    shapes = {name: np.array(shape) for name, shape in LENET.items()}
    assert allocate(shapes, dtype(0.9)) == allocate(LENET, 0.9)


@pytest.mark.parametrize(
    "sparsity",
    [-0.1, 1, 1.0, 90, float("nan"), float("inf"), "0.9", None, True],
)
def test_sparsity_is_a_fraction(sparsity):
    with pytest.raises(
        ValueError,
        match=(
            r"`sparsity` is the fraction of zeros and must be in \[0, 1\)\. "
            rf"Received: sparsity={re.escape(repr(sparsity))}\. "
            r"For 90 % zeros pass 0\.9\."
        ),
    ):
        allocate(LENET, sparsity)


@pytest.mark.parametrize(
    ("distribution", "error", "match"),
    [
        (
            "ekr",
            ValueError,
            r"must be one of \('uniform', 'er', 'erk'\).*'ekr'",
        ),
        (None, TypeError, r"must be one of .*, a mapping or a callable.*None"),
        (0.5, TypeError, r"must be one of .*, a mapping or a callable.*0\.5"),
        (
            {"fc9": 0.5, "fc8": 0.1},
            ValueError,
            r"`distribution` must name weights of this model\. Received: "
            r"\['fc8', 'fc9'\]\. Known: \['fc1', 'fc2', 'out'\]\.",
        ),
        ({"fc1": 1.5}, ValueError, r"`distribution\['fc1'\]` is the fraction"),
        (
            lambda shapes, sparsity: {"fc1": 0.5},
            ValueError,
            r"must return a sparsity for every weight\. Received: none for "
            r"\['fc2', 'out'\]\.",
        ),
        (
            lambda shapes, sparsity: {**dict.fromkeys(shapes, 0.5), "x": 0.5},
            ValueError,
            r"`distribution` must name weights of this model.*\['x'\]",
        ),
        (
            lambda shapes, sparsity: dict.fromkeys(shapes, -1),
            ValueError,
            r"`distribution\['fc1'\]` is the fraction.*=-1",
        ),
    ],
)
def test_bad_distribution(distribution, error, match):
    with pytest.raises(error, match=match):
        allocate(LENET, 0.9, distribution)


@pytest.mark.parametrize(
    ("shapes", "arguments", "message"),
    [
        ({}, {}, r"at least one weight.*shapes=\{\}"),
        ({"a": (3,), "b": (3, 0)}, {}, "Received: 'b' with 0 elements"),
        (LENET, {"budget": "all"}, r"one of \('global'.*budget='all'"),
        (LENET, {"dense": ["fc1", "fc3"]}, r"`dense` must name .*: \['fc3'\]"),
        (
            LENET,
            {"distribution": {"fc1": 0.5}, "dense": ["fc1"]},
            r"not both. Received: \['fc1'\]",
        ),
    ],
)
def test_refused(shapes, arguments, message):
    with pytest.raises(ValueError, match=message):
        allocate(shapes, 0.9, **arguments)


@pytest.mark.parametrize(
    "power", [float("nan"), float("inf"), -float("inf"), 1000.0, -1000.0]
)
def test_bad_power(power):
    """Such powers make a score zero, infinite or no number at all."""
    with pytest.raises(ValueError, match=rf"`power`.*Received: power={power}"):
        allocate(LENET, 0.9, power=power)


INFEASIBLE = re.compile(
    r"cannot be reached: (\d+) of (\d+) elements are kept by `dense` or "
    r"`distribution`, and each of the (\d+) other weights keeps at least one "
    r"connection\. The reachable maximum is ([\d.]+), the minimum ([\d.]+)\. "
    r'Keep fewer weights dense, or pass budget="reference"'
)


@strategies.examples(300)
@given(data=st.data(), shapes=shape_maps(), distribution=NAMED)
def test_infeasible_budget_names_what_is_reachable(data, shapes, distribution):
    """The named maximum works, one connection fewer does not."""
    sizes = sizes_of(shapes)
    total = sum(sizes.values())
    dense = data.draw(subsets(shapes))
    assume(dense and len(dense) < len(shapes))
    taken = sum(sizes[name] for name in dense)
    free = len(shapes) - len(dense)

    def attempt(sparsity):
        counts = allocate(shapes, sparsity, distribution, dense=dense)
        return total - sum(counts.values())

    zeros = total - taken - free
    # The middle of the sparsities that make one zero too many.
    with pytest.raises(ValueError, match=INFEASIBLE) as caught:
        attempt((zeros + 1.5) / total)
    found = INFEASIBLE.search(str(caught.value))
    assert [int(text) for text in found.groups()[:3]] == [taken, total, free]
    assert attempt(float(found[4])) == zeros
    assert attempt(float(found[5])) == 0


def test_infeasible_budget_of_a_large_model():
    """Six digits would not tell connections of 25 million elements apart."""
    shapes = {"fc": (5000, 5000), "stem": (7, 7, 3, 64)}
    with pytest.raises(ValueError, match=INFEASIBLE) as caught:
        allocate(shapes, 0.99999, dense=["stem"])
    highest = float(INFEASIBLE.search(str(caught.value))[4])
    assert allocate(shapes, highest, dense=["stem"])["fc"] == 1


def test_too_low_a_sparsity_names_the_minimum():
    """A mapping that leaves too few connections is infeasible as well."""
    shapes = {"a": (30, 100), "b": (1, 7)}
    with pytest.raises(ValueError, match=INFEASIBLE) as caught:
        allocate(shapes, 0.1, {"a": 0.5})
    highest, lowest = map(
        float, INFEASIBLE.search(str(caught.value)).groups()[3:]
    )
    assert allocate(shapes, lowest, {"a": 0.5}) == {"a": 1500, "b": 7}
    assert allocate(shapes, highest, {"a": 0.5}) == {"a": 1500, "b": 1}


@pytest.mark.parametrize(
    ("shapes", "fixed"),
    [
        (LENET, {"fc1": 0.5, "fc2": 0.25, "out": 0.1}),
        # Rounded to six digits the sparsity would not be met.
        ({"a": (5000, 5000), "b": (3, 3)}, {"a": 0.1234567, "b": 0.0}),
    ],
)
def test_all_fixed_must_agree_with_sparsity(shapes, fixed):
    with pytest.raises(
        ValueError,
        match=(
            r"fix every weight and must agree with `sparsity`\. Received: "
            r"sparsity=0\.9, but the given sparsities make ([\d.]+)\. Pass "
            r'sparsity=\1, or budget="reference"\.'
        ),
    ) as caught:
        allocate(shapes, 0.9, fixed)
    reached = re.search(r"make ([\d.]+)\. ", str(caught.value))[1]
    counts = allocate(shapes, float(reached), fixed)
    assert counts == allocate(shapes, 0.9, fixed, budget="reference")


def test_one_dense_name_is_not_taken_letter_by_letter():
    shapes = {"fc1": (20, 30), "f": (30, 10)}
    counts = allocate(shapes, 0.5, dense="f")
    assert counts == allocate(shapes, 0.5, dense=["f"])


def test_own_sparsities_beside_erdos_renyi():
    """A callable may fix some weights and share the rest by ER or ERK."""
    fixed = {"out": 0.25}

    def distribution(shapes, sparsity):
        others = {name: shapes[name] for name in shapes if name not in fixed}
        counts = allocate(others, sparsity, "er")
        return fixed | {
            name: 1 - counts[name] / math.prod(others[name]) for name in others
        }

    counts = allocate(LENET, 0.9, distribution, budget="reference")
    others = {name: LENET[name] for name in ("fc1", "fc2")}
    assert counts == allocate(others, 0.9, "er") | {"out": 750}
