"""Early-bird tickets: masks of channels, and when they no longer change.

You et al., "Drawing Early-Bird Tickets", ICLR 2020, arXiv:1909.11957.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from tf_rigl.core import decimals

COMPARES = ("window", "consecutive")
PRESETS = (None, "reference")


def scale_mask(
    scales: np.ndarray, ratio: float, preset: str | None = None
) -> np.ndarray:
    """Returns the channels that are kept if those of small scales are pruned.

    Args:
        scales: float [channels], the scales γ of all layers after each other.
        ratio: fraction of the channels to prune, in [0, 1), read as its
            shortest decimal.
        preset: by default exactly floor(ratio · channels) are pruned, and of
            equal |γ| those of the lowest index, so that equal scales give equal
            masks. `"reference"` keeps only what is greater than the |γ| of that
            number in ascending order, as the code of the paper does: at least
            one more is pruned, and of equal scales none is kept.

    Returns:
        bool [channels], true for those that are kept.

    Raises:
        FloatingPointError: if a scale is not finite.
    """
    sizes = np.abs(scales)
    broken = np.count_nonzero(~np.isfinite(sizes))
    if broken:
        raise FloatingPointError(
            "Channels are compared by finite scales. Received: "
            f"{broken} of {sizes.size} scales that are not. Train with a lower "
            "learning rate."
        )

    order = np.argsort(sizes, kind="stable")
    if preset == "reference":
        return sizes > sizes[order[int(sizes.size * ratio)]]
    mask = np.ones(sizes.shape, bool)
    mask[order[: decimals.floor_of(ratio, sizes.size)]] = False
    return mask


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the fraction of positions at which two bool arrays differ."""
    return np.count_nonzero(first != second) / first.size


def distances(masks: np.ndarray) -> np.ndarray:
    """Returns the distance of each two masks.

    Args:
        masks: bool [masks, channels].

    Returns:
        float64 [masks, masks], symmetric with zeros on the diagonal.
    """
    ones = masks.astype(np.float64)
    both = ones @ ones.T  # counts, exact in float64
    count = np.diagonal(both)
    return (count[:, None] + count - 2 * both) / max(masks.shape[-1], 1)


def emerges(
    masks: np.ndarray, threshold: float, window: int, compare: str
) -> bool:
    """Returns whether the newest mask is that of an early-bird ticket.

    Args:
        masks: bool [masks, channels], of consecutive epochs, the newest last.
        threshold: the distance that is small enough.
        window: the length of the queue.
        compare: `"window"`, as in the code of the paper: the newest of `window`
            masks differs from each of the others by at most the threshold.
            `"consecutive"`, as in its algorithm 1: each of the last `window`
            distances of consecutive masks is below the threshold.
    """
    if compare == "window":
        if len(masks) < window:
            return False
        newest = masks[-1]
        others = masks[len(masks) - window : -1]
        return all(distance(newest, one) <= threshold for one in others)

    if len(masks) <= window:
        return False
    last = masks[len(masks) - window - 1 :]
    return all(
        distance(one, after) < threshold
        for one, after in itertools.pairwise(last)
    )


def emergence(
    epochs: Sequence[int],
    masks: np.ndarray,
    threshold: float,
    window: int,
    compare: str,
) -> int | None:
    """Returns the first epoch whose mask `emerges`; None if none does.

    Args:
        epochs: the epoch of each mask, ascending. After a gap the queue begins
            again.
        masks: bool [masks, channels].
        threshold: as of `emerges`.
        window: as of `emerges`.
        compare: as of `emerges`.
    """
    first = 0
    for index, epoch in enumerate(epochs):
        if epoch - epochs[first] != index - first:
            first = index
        queue = masks[first : index + 1]
        if emerges(queue, threshold, window, compare):
            return epoch
    return None
