from fractions import Fraction

import numpy as np
import pytest

from tf_rigl.core import channel_selection
from tf_rigl.core.channel_selection import Limits


def removed(selection):
    return [np.flatnonzero(some).tolist() for some in selection]


@pytest.mark.parametrize(
    ("ratio", "size", "limits", "kept"),
    [
        (0.3, 64, Limits(), 64 - 19),
        # The decimal counts: 0.29 · 100 is 28.99... in floating point.
        (0.29, 100, Limits(), 71),
        (0.8, 500, Limits(), 100),
        (0.0, 5, Limits(), 5),
        (1.0, 5, Limits(), 1),
        (1.0, 5, Limits(min_channels=3), 3),
        (0.9, 2, Limits(min_channels=3), 2),
        (1.0, 10, Limits(max_ratio=0.7), 3),
        (0.5, 10, Limits(round_to=4), 8),
        (0.9, 10, Limits(round_to=4), 4),
        (0.1, 10, Limits(round_to=4), 10),
    ],
)
def test_channels_that_stay(ratio, size, limits, kept):
    assert channel_selection.by_ratio([size], ratio, limits) == [kept]


def test_lowest_go_and_of_equal_ones_the_lowest_index():
    scores = [np.array([2.0, 1.0, 1.0, 3.0, 1.0]), np.ones(4)]
    assert removed(channel_selection.remove_lowest(scores, [3, 2])) == [
        [1, 2],
        [0, 1],
    ]


@pytest.mark.parametrize(
    ("count", "limits", "expected"),
    [
        # The first group keeps one, whatever its score.
        (3, Limits(), [[0], [0, 1]]),
        (4, Limits(max_ratio=0.5), [[0], [0, 1]]),
        (3, Limits(min_channels=2), [[], [0, 1]]),
        (99, Limits(), [[0], [0, 1, 2]]),
        (0, Limits(), [[], []]),
        # One of two and two of four would stay.
        (3, Limits(round_to=3), [[], [0]]),
    ],
)
def test_global_removal(count, limits, expected):
    scores = [np.array([0.1, 0.2]), np.array([0.3, 0.4, 0.5, 9.0])]
    found = channel_selection.remove_globally(scores, count, limits)
    assert removed(found) == expected


def test_exact_count_of_all():
    random = np.random.default_rng(0)
    scores = [random.random(size) for size in (7, 30, 1, 12)]
    for count in range(47):
        found = channel_selection.remove_globally(scores, count, Limits())
        assert sum(some.sum() for some in found) == count
        assert all(not some.all() for some in found)


def test_more_removed_channels_contain_fewer():
    random = np.random.default_rng(1)
    scores = [random.integers(0, 3, size) for size in (5, 9, 4)]
    limits = Limits(2, 0.8, 2)
    before = np.zeros(18, bool)
    for count in range(18):
        now = np.concatenate(
            channel_selection.remove_globally(scores, count, limits)
        )
        assert (now >= before).all()
        before = now


def test_best_are_restored():
    scores = [np.array([5.0, 1.0, 3.0, 2.0])]
    gone = [np.array([False, True, True, True])]
    found = channel_selection.restore(scores, gone, Limits(min_channels=2))
    assert removed(found) == [[1, 3]]
    found = channel_selection.restore(scores, gone, Limits())
    assert removed(found) == [[1, 2, 3]]


def test_ratios_at_which_a_group_gets_smaller():
    assert channel_selection.ratios([2, 3]) == [
        0,
        Fraction(1, 3),
        Fraction(1, 2),
        Fraction(2, 3),
        1,
    ]


@pytest.mark.parametrize("first", range(6))
def test_first_that_fits(first):
    asked = []

    def fits(index):
        asked.append(index)
        return index >= first

    expected = first if first < 5 else None
    assert channel_selection.first_fit(5, fits) == expected
    assert len(asked) <= 3
