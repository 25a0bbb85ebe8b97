"""Budgets that cannot be met and arguments that are none."""

import re

import pytest
from hypothesis import assume
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tests.core.shapes import LENET
from tests.core.shapes import shape_maps
from tests.core.shapes import sizes_of
from tests.core.shapes import subsets
from tf_rigl.core import distributions
from tf_rigl.core.distributions import allocate

NAMED = st.sampled_from(distributions.NAMES)


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
