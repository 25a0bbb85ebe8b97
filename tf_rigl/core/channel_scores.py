"""Scores of channels: how much a network needs each of them.

A member is one weight of a group of channels that stay or go together. Its
slices are the values of each channel, [channels, elements]. Scores are float64
[channels], and the channels of the largest scores are kept.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

Scores = np.ndarray  # float64 [channels]


def l1(slices: np.ndarray) -> Scores:
    """Returns Σ|w| of each channel.

    Reference: Li et al., "Pruning Filters for Efficient ConvNets",
    arXiv:1608.08710.
    """
    return np.abs(slices).sum(axis=1, dtype=np.float64)


def l2(slices: np.ndarray) -> Scores:
    """Returns √Σw² of each channel."""
    return np.sqrt(np.square(slices).sum(axis=1, dtype=np.float64))


def fpgm(slices: np.ndarray) -> Scores:
    """Returns Σⱼ‖wᵢ − wⱼ‖₂, the distance of each channel to all others.

    Reference: He et al., "Filter Pruning via Geometric Median",
    arXiv:1811.00250.
    """
    # Products of float32 are exact in float64, which leaves an error of about
    # 3e-8 of the norm.
    values = slices.astype(np.float64)
    squares = np.square(values).sum(axis=1)
    distances = squares[:, None] + squares - 2 * (values @ values.T)
    np.fill_diagonal(distances, 0.0)
    return np.sqrt(np.maximum(distances, 0.0)).sum(axis=1)


def loss_change(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Scores:
    """Returns (Σ w ∂L/∂w)² over pairs of slices of values and gradients.

    It is the square of the change of the loss, to first order, if the channel
    became zero.

    Reference: Molchanov et al., "Importance Estimation for Neural Network
    Pruning", arXiv:1906.10771, equation 8.
    """
    changes = [
        np.sum(values.astype(np.float64) * gradients, axis=1)
        for values, gradients in pairs
    ]
    return np.square(np.sum(changes, axis=0))


# The criteria that see only the values of kernels.
OF_KERNELS: Mapping[str, Callable[[np.ndarray], Scores]] = {
    "l1": l1,
    "l2": l2,
    "fpgm": fpgm,
}
# Sorted sums do not depend on the order of the members.
REDUCTIONS: Mapping[str, Callable[[np.ndarray], Scores]] = {
    "mean": lambda rows: np.sort(rows, axis=0).mean(axis=0),
    "sum": lambda rows: np.sort(rows, axis=0).sum(axis=0),
    "max": lambda rows: rows.max(axis=0),
}


def combine(
    members: Sequence[Scores], reduce: str = "mean", normalize: bool = False
) -> Scores:
    """Returns the scores of a group from those of its members.

    Args:
        members: the scores of each member, [channels] each.
        reduce: a key of `REDUCTIONS`.
        normalize: whether to divide the scores of each member by their mean
            first, so that members and groups of other sizes can be compared.
            Scores that are all 0 stay so.
    """
    rows = np.stack([np.asarray(one, np.float64) for one in members])
    if normalize:
        means = rows.mean(axis=1, keepdims=True)
        rows = np.divide(rows, means, out=np.zeros_like(rows), where=means != 0)
    return REDUCTIONS[reduce](rows)
