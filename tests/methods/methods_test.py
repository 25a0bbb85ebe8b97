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
from tests.methods import dropping
from tests.methods import lockstep
from tests.methods import table

# The methods as users run them, graphs rewritten.
pytestmark = pytest.mark.usefixtures("grappler")

CASES = table.collect("CASES")
# Oracles that are a little off: each must be told apart from the method.
WRONG_ORACLES = table.collect("WRONG_ORACLES")


@functools.cache
def library(name, flavor):
    case = CASES[name]
    keras = importlib.import_module(flavor)
    return lockstep.run_library(
        keras, case.algorithm, case.sparsify, case.compiled
    )


# Variants of a method, whose other tests are fast.
SLOW = (
    "eager globally at_random of_each three_batches keeping_outputs at_once "
    "without_ablation jaxpruner with_decay with_biases grown_gradient "
    "grown_initial slot_scale trains_every redistributing mest_soft rescaled "
    "set_itop"
).split()


@pytest.mark.parametrize(
    ("name", "flavor"),
    support.in_turn(CASES, lambda name: any(one in name for one in SLOW)),
)
def test_method_agrees_with_its_oracle(name, flavor):
    case = CASES[name]
    lockstep.compare(
        library(name, flavor), case.oracle(), case.conserves, case.tolerance
    )


@pytest.mark.parametrize("name", WRONG_ORACLES)
def test_an_oracle_that_is_a_little_off_is_told_apart(name):
    # The flavor whose turn it is above.
    flavor = support.FLAVORS[list(CASES).index(name) % 2]
    with pytest.raises(AssertionError, match=r"step \d+"):
        lockstep.compare(
            library(name, flavor),
            WRONG_ORACLES[name](),
            tolerance=CASES[name].tolerance,
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
