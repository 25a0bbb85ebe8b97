"""Selection in plain NumPy: what the TensorFlow code must agree with.

Every float of the four dtypes is a float64 as it stands, so comparing there
is exact. Nothing here is fast.
"""

import fractions
import math

import numpy as np


def to_float64(values):
    """The same numbers; a signalling NaN becomes a quiet one in silence."""
    with np.errstate(invalid="ignore"):
        return np.asarray(values).astype(np.float64)


def largest(values, candidates, count):
    """The `count` candidates of largest magnitude, ties to the lowest index.

    NaN ranks above infinity. Returns a bool array of the shape of `values`.
    """
    magnitudes = np.abs(to_float64(values)).ravel()
    is_nan = np.isnan(magnitudes)
    indices = np.flatnonzero(candidates)
    descending = -np.where(is_nan, np.inf, magnitudes)
    indices = indices[np.argsort(descending[indices], kind="stable")]
    indices = indices[np.argsort(~is_nan[indices], kind="stable")]
    chosen = np.zeros(magnitudes.size, bool)
    chosen[indices[:count]] = True
    return chosen.reshape(np.shape(values))


def largest_by_partition(values, candidates, count):
    """The same for large arrays without NaN, in linear time; count >= 1."""
    magnitudes = np.abs(values)
    among = magnitudes[candidates]
    threshold = np.partition(among, among.size - count)[among.size - count]
    chosen = candidates & (magnitudes > threshold)
    tied = np.flatnonzero(candidates & (magnitudes == threshold))
    chosen.flat[tied[: count - np.count_nonzero(chosen)]] = True
    return chosen


def drop_and_grow(weights, mask, scores, count, select=largest):
    if not np.isfinite(to_float64(scores)).all():
        return mask.copy()
    nonzeros = np.count_nonzero(mask)
    count = min(count, nonzeros)
    kept = select(weights, mask, nonzeros - count)
    return kept | select(scores, ~kept, count)


def assert_update(found, mask, expected):
    new, dropped, grown = found
    np.testing.assert_array_equal(new, expected)
    np.testing.assert_array_equal(dropped, mask & ~expected)
    np.testing.assert_array_equal(grown, expected & ~mask)


def apportion(total, shares, capacities):
    """Splits `total` by largest remainders, in fractions: a list of counts.

    None is beyond its capacity, and shares of nothing but 0 are equal.
    """
    # NumPy's integers would overflow in fractions.
    capacities = [int(one) for one in capacities]
    total, full = min(int(total), sum(capacities)), {}
    while True:
        free = [index for index in range(len(shares)) if index not in full]
        left = fractions.Fraction(total - sum(full.values()))
        parts = [fractions.Fraction(shares[index]) for index in free]
        if not any(parts):
            parts = [1] * len(free)
        ideal = {
            index: left * part / sum(parts)
            for index, part in zip(free, parts, strict=True)
        }
        over = [index for index in free if ideal[index] >= capacities[index]]
        if not over:
            break
        full |= {index: capacities[index] for index in over}

    counts = full | {index: math.floor(one) for index, one in ideal.items()}
    by_remainder = sorted(ideal, key=lambda index: counts[index] - ideal[index])
    for index in by_remainder[: total - sum(counts.values())]:
        counts[index] += 1
    return [counts[index] for index in range(len(shares))]
