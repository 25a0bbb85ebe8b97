"""Checks of arguments: what is no number is an error of ours, too."""

from fractions import Fraction

import numpy as np
import pytest

from tf_rigl.core import checks


def check_fraction(value):
    checks.check_fraction("ratio", value, "the share")


def check_at_least(value):
    checks.check_at_least("strength", value, 0)


def check_above_zero(value):
    checks.check_above_zero("rate", value)


@pytest.mark.parametrize(
    "check", [check_fraction, check_at_least, check_above_zero]
)
def test_numbers(check):
    for value in (1, 0.5, np.float32(0.5), np.int64(1), Fraction(1, 2)):
        check(value)
    for value in ("0.5", None, [0.5], -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"Received: \w+="):
            check(value)


def test_a_truth_value_is_no_fraction():
    with pytest.raises(ValueError, match=r"in \[0, 1\].*ratio=True"):
        check_fraction(True)


def test_positive_integers():
    for value in (1, np.int64(3)):
        checks.check_positive("count", value)
    for value in (1.0, True, "2"):
        with pytest.raises(TypeError, match="must be an integer"):
            checks.check_positive("count", value)
    with pytest.raises(ValueError, match=r"at least 1\. Received: count=0"):
        checks.check_positive("count", 0)
