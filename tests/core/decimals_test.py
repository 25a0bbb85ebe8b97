"""Fractions of counts, against rational numbers."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.core import strategies
from tf_rigl.core import decimals

FRACTIONS = (0.29, 0.58, 1 / 3, 1 - 2**-53, 1e-9, 0.35, 1.0, 0.0)


@pytest.mark.parametrize("mode", strategies.MODES)
def test_table_of_fractions(mode):
    """Each keeps its digits beside others that have more."""

    def both(index, count):
        arguments = (np.array(FRACTIONS), index, count)
        return (
            decimals.floor_fraction(*arguments),
            decimals.subtract_to_nearest(*arguments),
        )

    function = strategies.compiled(both, mode)
    for index, fraction in enumerate(FRACTIONS):
        exact = Fraction(str(fraction))
        for count in (0, 1, 10, 50, 100, 2**24 + 1, 2**42 - 1):
            floor, rest = function(
                tf.constant(index), tf.constant(count, tf.int64)
            )
            assert floor == math.floor(exact * count)
            assert rest == round((1 - exact) * count)


@strategies.examples(300)
@given(
    fraction=st.floats(0, 1) | st.integers(0, 100).map(lambda x: x / 100),
    count=st.integers(0, 200) | st.integers(0, 2**42 - 1),
)
def test_equals_rational_numbers(fraction, count):
    exact = decimals.as_written(fraction)
    assert exact == Fraction(str(fraction))
    table = np.array([fraction])
    assert decimals.floor_fraction(table, 0, count) == math.floor(exact * count)
    rest = decimals.subtract_to_nearest(table, 0, count)
    assert rest == round((1 - exact) * count)


@pytest.mark.parametrize(
    ("value", "exact"),
    [
        (np.float32(0.29), Fraction(29, 100)),
        (np.float64(0.29), Fraction(29, 100)),
        (Decimal("0.29"), Fraction(29, 100)),
        (Fraction(1, 3), Fraction(1, 3)),
        (1, 1),
        (True, 1),
    ],
)
def test_numbers_of_every_type(value, exact):
    assert decimals.as_written(value) == exact
    assert decimals.to_float64(value) == float(exact)
