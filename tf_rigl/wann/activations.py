"""The ten activation functions of the search, each with its number.

The numbers are those of the published code, from 1 on, so that genomes say the
same there and here.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Activation(NamedTuple):
    """An activation function by its name."""

    name: str
    apply: Callable[[np.ndarray], np.ndarray]


def _gaussian(values: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * values * values)


ACTIVATIONS = {
    1: Activation("linear", lambda values: values),
    2: Activation("step", lambda values: (values > 0).astype(values.dtype)),
    3: Activation("sine", lambda values: np.sin(np.pi * values)),
    4: Activation("gaussian", _gaussian),
    5: Activation("tanh", np.tanh),
    # By way of tanh, which does not overflow.
    6: Activation("sigmoid", lambda values: 0.5 * (np.tanh(0.5 * values) + 1)),
    7: Activation("negative", np.negative),
    8: Activation("absolute", np.abs),
    9: Activation("relu", lambda values: np.maximum(values, 0)),
    10: Activation("cosine", lambda values: np.cos(np.pi * values)),
}
LINEAR = 1
ALL = tuple(ACTIVATIONS)
# The digits do without a step, which has no gradient to tune weights by.
WITHOUT_STEP = tuple(number for number in ALL if number != 2)


def name_of(number: int) -> str:
    """Returns the name of an activation."""
    return ACTIVATIONS[number].name


def check(numbers: tuple[int, ...]) -> None:
    """Raises a ValueError if activations are unknown, or if there are none."""
    if not numbers or not set(numbers) <= set(ACTIVATIONS):
        known = {number: one.name for number, one in ACTIVATIONS.items()}
        raise ValueError(
            "`activations` must be numbers of activation functions. "
            f"Received: activations={numbers!r}. They are {known}."
        )
