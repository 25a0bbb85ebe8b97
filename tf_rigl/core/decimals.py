"""Fractions of counts, exact for the decimal that a fraction is written as.

0.29 is no binary number: as a float64 it lies below, and 0.29 · 100 comes out
as 28.999999999999996. Its digits are what the user meant.
"""

import functools
from decimal import Decimal
from fractions import Fraction

import numpy as np
import tensorflow as tf

# Digits that are multiplied at once: int64 holds 10**6 · 2**43.
_DIGITS = 6
_BASE = 10**_DIGITS


def as_written(value: float) -> Fraction:
    """Returns a number as the decimal that it is written as, exactly."""
    return Fraction(str(+value))  # True is 1.


def to_float64(value: float) -> float:
    """Returns the float64 that is written alike: 0.29 for a float32's too."""
    return float(as_written(value))


def floor_fraction(
    fractions: np.ndarray, index: int | tf.Tensor, count: int | tf.Tensor
) -> tf.Tensor:
    """Returns floor(f · count) for one of many fractions, an int64 scalar.

    Args:
        fractions: float64 array, each read as its shortest decimal.
        index: which of them, an integer scalar.
        count: integer scalar, 0 <= count < 2**43.
    """
    floor, _ = _multiply(fractions, index, count)
    return floor


def subtract_to_nearest(
    fractions: np.ndarray, index: int | tf.Tensor, count: int | tf.Tensor
) -> tf.Tensor:
    """Returns (1 - f) · count to the nearest integer, ties to even.

    The arguments are those of `floor_fraction`, count < 2**42.
    """
    count = tf.cast(count, tf.int64)
    half_steps, is_exact = _multiply(fractions, index, 2 * count)
    rest = count - (half_steps + 1) // 2
    is_tie = is_exact & tf.equal(half_steps % 2, 1)
    return tf.where(is_tie, rest + rest % 2, rest)


def _multiply(
    fractions: np.ndarray, index: int | tf.Tensor, count: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Multiplies by groups of digits, the last first: floor, is it exact.

    Rounding down in between changes nothing, since what is added is whole.
    """
    count = tf.cast(count, tf.int64)
    table = _digits(np.asarray(fractions, np.float64).tobytes())
    whole, *groups = tf.unstack(tf.gather(tf.constant(table), index))

    floor, is_exact = tf.zeros_like(count), tf.constant(True)
    for group in reversed(groups):
        product = count * group + floor
        floor = product // _BASE
        is_exact &= tf.equal(product, floor * _BASE)
    return count * whole + floor, is_exact


@functools.lru_cache(maxsize=64)
def _digits(fractions: bytes) -> np.ndarray:
    """Splits float64 into the whole part and groups of decimal digits."""
    numbers = [Decimal(str(x)) for x in np.frombuffer(fractions).tolist()]
    places = max((-int(n.as_tuple().exponent) for n in numbers), default=0)
    groups = -(-places // _DIGITS)

    rows = []
    for number in numbers:
        rest, row = int(number.scaleb(groups * _DIGITS)), []
        for _ in range(groups):
            rest, digits = divmod(rest, _BASE)
            row.append(digits)
        rows.append([rest, *reversed(row)])
    return np.array(rows, np.int64).reshape(-1, groups + 1)
