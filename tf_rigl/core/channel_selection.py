"""Selection of channels by their scores.

Groups of channels are lists of scores. Selections are lists of bool arrays,
True for channels that are removed. Those of the lowest scores go, of equal
ones the lowest index first, so that a selection of more channels contains that
of fewer.
"""

from collections.abc import Callable
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from tf_rigl.core import decimals


class Limits(NamedTuple):
    """The channels that each group keeps at least."""

    min_channels: int = 1
    max_ratio: float = 1.0  # the largest share of a group that is removed
    round_to: int = 1  # kept channels are rounded up to a multiple of it

    def fewest(self, channels: int) -> int:
        """Returns how many channels a group must keep, before rounding."""
        removable = decimals.floor_of(self.max_ratio, channels)
        return min(channels, max(self.min_channels, channels - removable))

    def rounded(self, kept: int, channels: int) -> int:
        """Rounds a number of kept channels up, to all of them at most."""
        return min(channels, -(-kept // self.round_to) * self.round_to)


def by_ratio(
    sizes: Sequence[int], ratio: float | Fraction, limits: Limits
) -> list[int]:
    """Returns how many channels each group keeps: c − ⌊ratio · c⌋ or more."""
    return [
        limits.rounded(
            max(size - decimals.floor_of(ratio, size), limits.fewest(size)),
            size,
        )
        for size in sizes
    ]


def remove_lowest(
    scores: Sequence[np.ndarray], kept: Sequence[int]
) -> list[np.ndarray]:
    """Removes the channels of the lowest scores from each group."""
    return [
        _lowest(one, len(one) - count)
        for one, count in zip(scores, kept, strict=True)
    ]


def remove_globally(
    scores: Sequence[np.ndarray], count: int, limits: Limits
) -> list[np.ndarray]:
    """Removes the `count` lowest channels of all groups together.

    Channels of groups that may lose no more are passed over, so fewer are
    removed only if no group may lose more. Rounding restores channels
    afterwards.
    """
    sizes = [len(one) for one in scores]
    left = [size - limits.fewest(size) for size in sizes]
    group_of = np.repeat(np.arange(len(sizes)), sizes)
    starts = np.cumsum([0, *sizes])
    removed = [np.zeros(size, bool) for size in sizes]

    for index in np.argsort(np.concatenate(scores), kind="stable"):
        if not count:
            break
        group = group_of[index]
        if left[group]:
            removed[group][index - starts[group]] = True
            left[group] -= 1
            count -= 1

    return restore(scores, removed, limits._replace(max_ratio=1.0))


def restore(
    scores: Sequence[np.ndarray], removed: Sequence[np.ndarray], limits: Limits
) -> list[np.ndarray]:
    """Restores the best of the removed channels where groups keep too few."""
    result = []
    for one, gone in zip(scores, removed, strict=True):
        size = len(one)
        kept = size - int(gone.sum())
        kept = limits.rounded(max(kept, limits.fewest(size)), size)
        # Channels that stay anyway are never among the lowest.
        ranked = np.where(gone, one, np.inf)
        result.append(_lowest(ranked, size - kept))
    return result


def ratios(sizes: Sequence[int]) -> list[Fraction]:
    """Lists the ratios at which the channels of some group become fewer."""
    return sorted(
        {Fraction(lost, size) for size in sizes for lost in range(size + 1)}
    )


def first_fit(count: int, fits: Callable[[int], bool]) -> int | None:
    """Returns the first of `count` indices that fits, None if none does.

    All indices after one that fits must fit, too, for bisection finds it.
    """
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if fits(middle):
            high = middle
        else:
            low = middle + 1
    return low if low < count else None


def _lowest(scores: np.ndarray, count: int) -> np.ndarray:
    removed = np.zeros(len(scores), bool)
    removed[np.argsort(scores, kind="stable")[:count]] = True
    return removed
