"""Exact fractions of counts, computed from the decimal digits of a float.

0.29 has no exact binary representation: the nearest float64 is below it, and
0.29 · 100 evaluates to 28.999999999999996. The functions here compute with the
decimal that the user wrote.
"""

import functools
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import tensorflow as tf

# Number of digits multiplied at once. The products, up to 10**6 · 2**43, fit
# into int64.
_DIGITS = 6
_BASE = 10**_DIGITS


def as_written(value: float | Fraction) -> Fraction:
    """Returns the shortest decimal of a number as an exact fraction."""
    return Fraction(str(+value))  # True is 1.


def floor_of(value: float | Fraction, count: int) -> int:
    """Returns ⌊value · count⌋ of the decimal that was written."""
    return math.floor(as_written(value) * count)


def to_float64(value: float) -> float:
    """Returns the float64 with the same decimal, such as 0.29 for a float32."""
    return float(as_written(value))


def floor_fraction(
    fractions: np.ndarray, index: int | tf.Tensor, count: int | tf.Tensor
) -> tf.Tensor:
    """Returns floor(f · count) for one of several fractions, int64 scalar.

    Args:
        fractions: float64 array; each entry is read as its shortest decimal.
        index: integer scalar, the index of the fraction f.
        count: integer scalar, 0 <= count < 2**43.
    """
    floor, _ = _multiply(fractions, index, count)
    return floor


def subtract_to_nearest(
    fractions: np.ndarray, index: int | tf.Tensor, count: int | tf.Tensor
) -> tf.Tensor:
    """Returns (1 - f) · count to the nearest integer, ties to even.

    The arguments are those of `floor_fraction`, with count < 2**42.
    """
    count = tf.cast(count, tf.int64)
    half_steps, is_exact = _multiply(fractions, index, 2 * count)
    rest = count - (half_steps + 1) // 2
    is_tie = is_exact & tf.equal(half_steps % 2, 1)
    return tf.where(is_tie, rest + rest % 2, rest)


def _multiply(
    fractions: np.ndarray, index: int | tf.Tensor, count: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns floor(f · count), and whether f · count is an integer.

    Multiplies one group of digits at a time, the last first. Rounding down in
    between does not matter, because all terms added later are integers.
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
    """Splits float64 numbers into integer parts and groups of digits."""
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
