"""New values for the connections of a mask, drawn without any state.

References: Frankle and Carbin, "The Lottery Ticket Hypothesis", ICLR 2019,
arXiv:1803.03635, appendix F.3 (`tickets`); Zhou et al., "Deconstructing Lottery
Tickets", NeurIPS 2019, arXiv:1905.01067, section 3 (`reshuffle`, `constant`);
Ramanujan et al., "What's Hidden in a Randomly Weighted Neural Network?", CVPR
2020, arXiv:1911.13299, section 4 (`signed_kaiming`, `kaiming_normal`).
"""

import math
from collections.abc import Callable
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.core import dice
from tf_rigl.core import random_masks
from tf_rigl.core.dice import Dice


class Kernel(NamedTuple):
    """What new values of a weight depend on."""

    initial: np.ndarray | None  # its initial values, of any shape
    mask: np.ndarray  # bool, of the same shape
    fan_in: int  # positions · inputs, of the dense weight
    fan_out: int  # positions · units, of the dense weight
    seed: tf.Tensor  # a result of `stateless_seed`


Redraw = Callable[[Kernel], np.ndarray]


def reshuffle(kernel: Kernel) -> np.ndarray:
    """Permutes the initial values of the connections among them."""
    return _spread(kernel, _shuffled(kernel, _kept(kernel)))


def constant(kernel: Kernel) -> np.ndarray:
    """Sets connections to ±σ, with the signs that they had, permuted.

    σ is the standard deviation of all initial values, masked ones included.
    """
    deviation = np.std(_initial(kernel), dtype=np.float64)
    signs = _shuffled(kernel, _signs(_kept(kernel)))
    return _spread(kernel, deviation * signs)


def tickets(kernel: Kernel) -> np.ndarray:
    """Draws from the initial values of the connections, with replacement.

    So the new values have the distribution of the ticket's own, which training
    and pruning have selected, and not that of the initializer.
    """
    kept = _kept(kernel)
    if not kept.size:
        return _spread(kernel, kept)
    indices = tf.random.stateless_uniform(
        kept.shape, kernel.seed, 0, kept.size, tf.int32, alg="philox"
    )
    return _spread(kernel, kept[indices.numpy()])


def signed_kaiming(kernel: Kernel) -> Dice:
    """Draws ±√(2 / fan-in) with random signs."""
    return _of_variance(kernel, dice.SIGNS, 2 / kernel.fan_in)


def kaiming_normal(kernel: Kernel) -> Dice:
    """Draws normal values of variance 2 / fan-in, within ±6 σ."""
    return _of_variance(kernel, dice.NORMAL, 2 / kernel.fan_in)


def glorot_normal(kernel: Kernel) -> Dice:
    """Draws normal values of variance 2 / (fan-in + fan-out), within ±6 σ.

    Keras truncates them at ±2 σ and scales them up to the same variance.
    """
    variance = 2 / (kernel.fan_in + kernel.fan_out)
    return _of_variance(kernel, dice.NORMAL, variance)


# Those that permute or describe initial values, and those that need none.
OF_INITIAL_VALUES: Mapping[str, Redraw] = MappingProxyType(
    {function.__name__: function for function in (reshuffle, constant, tickets)}
)
OF_SHAPES: Mapping[str, Callable[[Kernel], Dice]] = MappingProxyType(
    {
        function.__name__: function
        for function in (signed_kaiming, kaiming_normal, glorot_normal)
    }
)


def with_signs_of(values: np.ndarray, initial: np.ndarray) -> np.ndarray:
    """Gives values the signs of the initial ones; zero counts as positive."""
    return np.abs(values) * _signs(initial)


def _initial(kernel: Kernel) -> np.ndarray:
    if kernel.initial is None:
        raise ValueError(
            "New values that are made of initial values need them. Received: "
            "initial=None. Pass an array of the weight's shape."
        )
    return kernel.initial


def _kept(kernel: Kernel) -> np.ndarray:
    return _initial(kernel)[kernel.mask]


def _spread(kernel: Kernel, kept: np.ndarray) -> np.ndarray:
    """Puts values at the connections, in row-major order."""
    values = np.zeros(kernel.mask.shape, kept.dtype)
    values[kernel.mask] = kept
    return values


def _shuffled(kernel: Kernel, values: np.ndarray) -> np.ndarray:
    shuffled = random_masks.shuffle(tf.constant(values), kernel.seed)
    return shuffled.numpy()


def _signs(values: np.ndarray) -> np.ndarray:
    return np.where(values < 0, -1.0, 1.0)


def _of_variance(
    kernel: Kernel, kind: tuple[int, int], variance: float
) -> Dice:
    first, second = kernel.seed.numpy().tolist()
    unit = dice.NORMAL_DEVIATION if kind == dice.NORMAL else 1
    scale = np.float32(math.sqrt(variance) / unit).item()
    return Dice((first, second), *kind, scale)
