"""Every method against an oracle of its own, step by step.

The oracles are plain NumPy after the papers and the docstrings; they share
nothing with the library but the random scores. A method joins with a file of
`oracles`.
"""

import itertools

import keras as keras_3
import pytest

from tests import support
from tests.methods import cases
from tests.methods import dropping
from tests.methods import lockstep


@pytest.mark.parametrize(
    ("name", "keras"), support.in_turn(cases.CASES), indirect=["keras"]
)
def test_method_agrees_with_its_oracle(keras, name):
    case = cases.CASES[name]
    lockstep.run(
        keras,
        case.algorithm,
        case.oracle(),
        case.conserves,
        case.sparsify,
        case.compiled,
        case.tolerance,
    )


@pytest.mark.parametrize("name", cases.WRONG_ORACLES)
def test_an_oracle_that_is_a_little_off_is_told_apart(name):
    case, wrong = cases.CASES[name], cases.WRONG_ORACLES[name]
    with pytest.raises(AssertionError, match=r"step \d+"):
        lockstep.run(keras_3, case.algorithm, wrong(), sparsify=case.sparsify)


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
