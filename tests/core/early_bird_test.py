"""Masks of scales and the queue of their distances, against the papers."""

import collections
import fractions

import numpy as np
import pytest

from tf_rigl.core import early_bird


def recorded(epochs=14, channels=40, seed=0):
    """A series of scales that settles down, with equal ones at the start."""
    random = np.random.default_rng(seed)
    end = random.normal(size=channels)
    rows = [np.full(channels, 0.5)]
    for epoch in range(1, epochs):
        noise = random.normal(size=channels) * 2.0 ** (1 - epoch)
        rows.append(end + noise)
    return np.array(rows, np.float32)


def pruned_by_hand(scales, ratio):
    """The smallest |γ|, of equal ones the first, one after the other."""
    count = int(fractions.Fraction(str(ratio)) * len(scales))
    left = list(range(len(scales)))
    for _ in range(count):
        left.remove(min(left, key=lambda index: (abs(scales[index]), index)))
    return left


@pytest.mark.parametrize("ratio", [0.0, 0.29, 0.3, 0.5, 0.7, 0.99])
def test_masks_have_exact_counts(ratio):
    for scales in (
        *recorded(channels=100),
        np.round(recorded(channels=100)[3]),  # many ties
    ):
        mask = early_bird.scale_mask(scales, ratio)
        assert mask.sum() == 100 - round(100 * ratio)
        assert np.flatnonzero(mask).tolist() == pruned_by_hand(scales, ratio)


def test_ties_are_pruned_by_the_lowest_index():
    mask = early_bird.scale_mask(np.array([-2.0, 1, 2, -1, 1, 2]), 0.5)
    assert mask.tolist() == [True, False, True, False, False, True]
    mask = early_bird.scale_mask(np.array([-2.0, 1, 2, -1, 1, 2]), 0.34)
    assert mask.tolist() == [True, False, True, False, True, True]


@pytest.mark.parametrize("ratio", [0.3, 0.5, 0.7])
def test_reference_prunes_one_more(ratio):
    """Network slimming's code, with 5,504 scales as VGG-19 has them."""
    scales = np.random.default_rng(0).normal(size=5504)
    mask = early_bird.scale_mask(scales, ratio, "reference")
    threshold = np.sort(np.abs(scales))[int(5504 * ratio)]
    np.testing.assert_array_equal(mask, np.abs(scales) > threshold)
    assert (~mask).sum() == int(5504 * ratio) + 1
    if ratio == 0.7:
        assert mask.sum() == 1651  # as a user's run has printed


def test_equal_scales():
    """The reference keeps none, so its first mask is far from the second."""
    first, second = recorded(channels=1000)[:2]
    for ratio, expected in ((0.3, 0.7), (0.5, 0.5), (0.7, 0.3)):
        masks = [
            early_bird.scale_mask(one, ratio, "reference")
            for one in (first, second)
        ]
        assert not masks[0].any()
        assert early_bird.distance(*masks) == pytest.approx(expected, abs=2e-3)
        ours = early_bird.scale_mask(first, ratio)
        assert ours.sum() == round(1000 * (1 - ratio))
        assert not ours[: round(1000 * ratio)].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scales_that_are_not_finite(bad):
    with pytest.raises(FloatingPointError, match="1 of 3 scales"):
        early_bird.scale_mask(np.array([1.0, bad, 2.0]), 0.5)


def window_oracle(masks, threshold, window):
    """The published code: a queue of masks, the newest against each."""
    queue = collections.deque(maxlen=window)
    for epoch, mask in enumerate(masks):
        queue.append(mask)
        if len(queue) < window:
            continue
        found = [
            fractions.Fraction(int(np.sum(queue[-1] != other)), mask.size)
            for other in list(queue)[:-1]
        ]
        if not any(one > threshold for one in found):
            return epoch
    return None


def consecutive_oracle(masks, threshold, length):
    """Algorithm 1 of the paper: a queue of distances, its maximum."""
    queue = collections.deque(maxlen=length)
    for epoch in range(1, len(masks)):
        moved = int(np.sum(masks[epoch] != masks[epoch - 1]))
        queue.append(fractions.Fraction(moved, masks[epoch].size))
        if len(queue) == length and max(queue) < threshold:
            return epoch
    return None


@pytest.mark.parametrize("compare", early_bird.COMPARES)
def test_emergence(compare):
    oracle = {"window": window_oracle, "consecutive": consecutive_oracle}
    found = set()
    for seed in range(3):
        for ratio in (0.3, 0.5, 0.7):
            masks = np.array(
                [early_bird.scale_mask(g, ratio) for g in recorded(seed=seed)]
            )
            for window in range(1, 16):
                for tenths in range(5):
                    expected = oracle[compare](
                        masks, fractions.Fraction(tenths, 20), window
                    )
                    assert expected == early_bird.emergence(
                        range(14), masks, tenths / 20, window, compare
                    )
                    found.add(expected)
    assert None in found and len(found) > 8


def test_the_threshold_belongs_to_the_window_alone():
    """Of ten positions one differs: 0.1."""
    masks = np.zeros((8, 10), bool)
    masks[np.arange(8), np.arange(8)] = True
    # One position of each is its own, so any two differ at two.
    assert early_bird.emergence(range(8), masks, 0.2, 5, "window") == 4
    assert early_bird.emergence(range(8), masks, 0.19, 5, "window") is None
    assert early_bird.emergence(range(8), masks, 0.2, 5, "consecutive") is None
    assert early_bird.emergence(range(8), masks, 0.21, 5, "consecutive") == 5


def test_pairwise_distances():
    masks = np.array([early_bird.scale_mask(g, 0.3) for g in recorded()])
    found = early_bird.distances(masks)
    for i, j in np.ndindex(found.shape):
        assert found[i, j] == np.mean(masks[i] != masks[j])


def test_a_queue_begins_again_after_a_gap():
    masks = np.zeros((8, 4), bool)
    epochs = [0, 1, 2, 5, 6, 7, 8, 9]
    found = [
        early_bird.emergence(epochs, masks, 0.1, 4, compare)
        for compare in early_bird.COMPARES
    ]
    assert found == [8, 9]
