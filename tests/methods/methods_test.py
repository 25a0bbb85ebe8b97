"""Every method against an oracle of its own, step by step.

The oracles are plain NumPy after the papers and the docstrings; they share
nothing with the library but the random scores. A method joins with a file of
`oracles`.
"""

import functools
import importlib
import itertools

import pytest

from tests import support
from tests.methods import cases
from tests.methods import dropping
from tests.methods import lockstep

# The methods as users run them, graphs rewritten.
pytestmark = pytest.mark.usefixtures("grappler")


@functools.cache
def library(name, flavor):
    """What the library does by a case, once for all oracles."""
    case = cases.CASES[name]
    keras = importlib.import_module(flavor)
    return lockstep.run_library(
        keras, case.algorithm, case.sparsify, case.compiled
    )


@pytest.mark.parametrize(("name", "flavor"), support.in_turn(cases.CASES))
def test_method_agrees_with_its_oracle(name, flavor):
    case = cases.CASES[name]
    lockstep.compare(
        library(name, flavor), case.oracle(), case.conserves, case.tolerance
    )


@pytest.mark.parametrize("name", cases.WRONG_ORACLES)
def test_an_oracle_that_is_a_little_off_is_told_apart(name):
    # The flavor whose turn it is above.
    flavor = support.FLAVORS[list(cases.CASES).index(name) % 2]
    with pytest.raises(AssertionError, match=r"step \d+"):
        lockstep.compare(
            library(name, flavor),
            cases.WRONG_ORACLES[name](),
            tolerance=cases.CASES[name].tolerance,
        )


@pytest.mark.parametrize(
    ("start", "stop", "interval", "pattern"),
    [
        (3, 7, 2, "11101101101"),
        (1, 5, 3, "10111011111"),
        (0, 4, 1, "01010101011"),
    ],
)
def test_step_pattern_of_the_tf1_repository(start, stop, interval, pattern):
    """1 is a step of training, 0 a mask update; its `testApplyGradients`."""
    times = dropping.tf1_times(start, stop, interval)
    trains = [time is None for time in itertools.islice(times, len(pattern))]
    assert trains == [step == "1" for step in pattern]


def test_apportion_gives_what_a_full_weight_cannot_take_to_the_others():
    room = {"small": 2, "middle": 9, "large": 9}
    shares = {"small": 0.5, "middle": 0.25, "large": 0.125}
    # 7 of small's 4, then 5 shared as 2 to 1: 3.33 and 1.67.
    assert dropping.apportion(7, shares, room) == {
        "small": 2,
        "middle": 3,
        "large": 2,
    }
