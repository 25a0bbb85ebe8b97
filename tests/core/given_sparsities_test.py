"""Sparsities that the user gives, and what shares the rest."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tests.core.shapes import LENET
from tests.core.shapes import SPARSITIES
from tests.core.shapes import shape_maps
from tests.core.shapes import subsets
from tests.core.shapes import zeros_at
from tf_rigl.core.distribution_types import BUDGETS
from tf_rigl.core.distribution_types import ERK
from tf_rigl.core.distribution_types import NAMES
from tf_rigl.core.distribution_types import PerLayer
from tf_rigl.core.distributions import allocate


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
        (ERK, TypeError, r"an object, not its class\..*=ERK\. Pass ERK\("),
        (
            lambda shapes: {},
            TypeError,
            r"must take \(shapes, sparsity\).*other arguments: too many",
        ),
        (lambda shapes, s: None, TypeError, r"a mapping.*returned None\."),
        (lambda shapes, s: [0.9] * 3, TypeError, r"returned \[0\.9, 0\.9"),
        (
            lambda shapes, s: {0: 0.5, "x": 0.5, **dict.fromkeys(shapes, s)},
            ValueError,
            r"must name weights of this model\. Received: \[0, 'x'\]",
        ),
        *(
            (
                lambda shapes, s, bad=bad: dict.fromkeys(shapes, bad),
                ValueError,
                r"`distribution\['fc1'\]` is the fraction of zeros",
            )
            for bad in ("half", None, math.nan, 1, -1, True)
        ),
        (
            lambda shapes, sparsity: {"fc1": 0.5},
            ValueError,
            r"must return a sparsity for every weight\. Received: none for "
            r"\['fc2', 'out'\]\.",
        ),
    ],
)
def test_bad_distribution(distribution, error, match):
    with pytest.raises(error, match=match):
        allocate(LENET, 0.9, distribution)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (np.ones((2, 2)), r"`shapes` must be a mapping of names to shapes\."),
        ([(2, 2)], r"`shapes` must be a mapping.*shapes=\[\(2, 2\)\]"),
        ({"a": (3, None)}, r"sequence of integers.*\(3, None\) for 'a'"),
        ({"a": (3, 2.0)}, r"sequence of integers.*\(3, 2\.0\) for 'a'"),
        ({"a": 3}, r"sequence of integers.*shape=3 for 'a'"),
    ],
)
@pytest.mark.parametrize("distribution", [*NAMES, {}])
def test_shapes_are_a_mapping(shapes, message, distribution):
    with pytest.raises(TypeError, match=message):
        allocate(shapes, 0.5, distribution)


@strategies.examples(200)
@given(
    data=st.data(),
    shapes=shape_maps(),
    own=SPARSITIES,
    sparsity=SPARSITIES,
    rest=st.sampled_from(NAMES),
    power=st.sampled_from([0.0, 1.0, 2.0]),
)
def test_others_are_as_if_they_were_alone(
    data, shapes, own, sparsity, rest, power
):
    """Under the published budget, which looks at the others only."""
    named = data.draw(subsets(shapes))
    others = {name: shapes[name] for name in shapes if name not in named}
    counts = allocate(
        shapes,
        sparsity,
        PerLayer(dict.fromkeys(named, own), "reference", rest, power),
    )

    for name in named:
        size = math.prod(shapes[name])
        assert counts[name] == max(1, size - zeros_at(own, size))
    if others:
        alone = allocate(
            others, sparsity, rest, power=power, budget="reference"
        )
        assert alone == {name: counts[name] for name in others}


@pytest.mark.parametrize("rest", NAMES)
def test_others_share_what_is_left(rest):
    """The sparsity over all is the one asked for, the named one's its own."""
    counts = allocate(LENET, 0.9, PerLayer({"out": 0.25}, rest=rest))
    assert counts["out"] == 750
    assert sum(counts.values()) == 26_620
    others = {name: LENET[name] for name in ("fc1", "fc2")}
    left = 1 - (26_620 - 750) / 265_200
    assert allocate(others, left, rest) == {
        name: counts[name] for name in others
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rest": "kre"}, r"`rest` must be one of \('uniform', .*'kre'"),
        ({"rest": "erk", "power": math.nan}, "`power` must be a finite number"),
        (
            {"sparsities": lambda shapes, s: {}, "rest": "er"},
            r"there is no rest\. Received: rest='er'",
        ),
    ],
)
def test_bad_rest(arguments, message):
    with pytest.raises(ValueError, match=message):
        PerLayer(**{"sparsities": {"out": 0.5}, **arguments})
