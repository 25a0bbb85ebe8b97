"""Treatments of pruned weights: which of them are frozen at zero.

Reference: Zhou et al., "Deconstructing Lottery Tickets: Zeros, Signs, and the
Supermask", NeurIPS 2019, arXiv:1905.01067, section 4 (mask-0 actions). A pruned
weight is frozen, at zero or at its initial value, and each function here
returns at which positions of a weight it is zero. A weight has moved towards
zero if |w_f| < |w_i|, and away from it if |w_f| > |w_i|, whatever its sign.
"""

from collections.abc import Callable
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.core import random_masks


class PrunedWeight(NamedTuple):
    """A weight before and after a round of pruning, as arrays of one shape.

    Connections that an earlier round has pruned were treated then.
    """

    initial: np.ndarray  # w_i, the values to which it is rewound
    final: np.ndarray  # w_f, the values at the end of training
    before: np.ndarray  # bool, the connections that were trained
    mask: np.ndarray  # bool, those of them that are kept
    seed: tf.Tensor  # a result of `stateless_seed`

    @property
    def pruned(self) -> np.ndarray:
        """The connections that this round has pruned, bool."""
        return self.before & ~self.mask

    @property
    def shrank(self) -> np.ndarray:
        """The positions that moved towards zero, bool."""
        return np.abs(self.final) < np.abs(self.initial)

    @property
    def grew(self) -> np.ndarray:
        """The positions that moved away from zero, bool."""
        return np.abs(self.final) > np.abs(self.initial)


Treatment = Callable[[PrunedWeight], np.ndarray]


def zero(weight: PrunedWeight) -> np.ndarray:
    """Freezes pruned weights at zero, which makes a mask of the usual kind."""
    return weight.pruned


def initial(weight: PrunedWeight) -> np.ndarray:
    """Freezes pruned weights at their initial values."""
    return np.zeros_like(weight.mask)


def movement(weight: PrunedWeight) -> np.ndarray:
    """Freezes those at zero that moved towards it, others where they began.

    It is the paper's first variant.
    """
    return weight.pruned & weight.shrank


def movement_all(weight: PrunedWeight) -> np.ndarray:
    """Does as `movement`, and starts kept weights that shrank at zero, too.

    It is the paper's second variant; kept weights are trained from there.
    """
    return (weight.pruned | weight.mask) & weight.shrank


def reshuffled_movement(weight: PrunedWeight) -> np.ndarray:
    """Freezes as many at zero as `movement`, at random pruned places.

    It is the paper's control of whether the places matter.
    """
    zeros, pruned = np.zeros_like(weight.mask), weight.pruned
    if pruned.any():
        shrank = tf.constant(weight.shrank[pruned])
        zeros[pruned] = random_masks.shuffle(shrank, weight.seed).numpy()
    return zeros


def reverse_movement(weight: PrunedWeight) -> np.ndarray:
    """Freezes those at zero that moved away from it, the reverse control."""
    return weight.pruned & weight.grew


# By name. With the first there is nothing that a mask does not do.
TREATMENTS: Mapping[str, Treatment] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            zero,
            initial,
            movement,
            movement_all,
            reshuffled_movement,
            reverse_movement,
        )
    }
)


def treated(
    name: str, weight: PrunedWeight, start: np.ndarray | None = None
) -> np.ndarray:
    """Returns the values with which the next round begins.

    Args:
        name: one of `TREATMENTS`.
        weight: the weight.
        start: values with which kept connections start, by default the initial
            ones.

    Returns:
        An array of the weight's shape. Kept connections start with their
        values and are trained; those pruned in this round are frozen at the
        values that the treatment gives them; positions pruned before keep what
        they hold.
    """
    start = weight.initial if start is None else start
    values = np.where(weight.mask, start, weight.final)
    values = np.where(weight.pruned, weight.initial, values)
    zeros = TREATMENTS[name](weight)
    return np.where(zeros, np.zeros_like(values), values)
