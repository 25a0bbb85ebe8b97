"""Recognizes activation functions by what they compute.

A function has many names: Keras's, TensorFlow's, that of a layer or of an
operation, a partial one, a lambda. It is called on some numbers, and what comes
out tells which it is.
"""

import math
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

Function = Callable[[np.ndarray], np.ndarray]

# [rows, 5]: softmax is over the last axis, all others are of each element.
_PROBES = np.concatenate(
    [np.linspace(-8, 8, 65), [-1e4, -100, -20, 20, 1e4]]
).astype(np.float32)
_PROBES = np.random.default_rng(0).permutation(_PROBES).reshape(-1, 5)
# Functions agree to a few units in the last place. The two forms of GELU, which
# come nearest to each other, differ by 5e-4.
_TOLERANCE = 2e-5


class Activation(NamedTuple):
    """`after · name(scale · x + offset)`."""

    name: str  # one of `native.plan_graph.ACTIVATIONS`
    negative_slope: float | None = None  # of "leaky_relu"
    scale: float = 1.0
    offset: float = 0.0
    after: float = 1.0

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of a step that applies the named function."""
        if self.negative_slope is None:
            return {"activation": self.name}
        return {
            "activation": self.name,
            "negative_slope": self.negative_slope,
        }

    @property
    def is_bare(self) -> bool:
        """True if it scales and shifts nothing."""
        return (self.scale, self.offset, self.after) == (1.0, 0.0, 1.0)


LINEAR = Activation("linear")


def recognize(
    function: Callable[[Any], Any], rank: int = 2
) -> Activation | None:
    """Returns the activation that a function of tensors of a rank computes.

    None if it is none of them. The rank matters to a softmax of another axis
    than the last.
    """
    shapes = {2: (-1, 5), 3: (-1, 2, 5), 4: (-1, 2, 1, 5)}
    probes = tf.constant(_PROBES.reshape(shapes[rank]))
    try:
        found = np.asarray(function(probes), np.float64)
    except (TypeError, ValueError, tf.errors.InvalidArgumentError):
        return None
    if found.shape != probes.shape:
        return None

    found = found.reshape(_PROBES.shape)
    for name, one in _FUNCTIONS.items():
        if _agree(found, one(_PROBES.astype(np.float64))):
            return Activation(name)
    return _leaky(found) or _clipped(found)


def _leaky(found: np.ndarray) -> Activation | None:
    slope = -_at(found, -1)
    x = _PROBES.astype(np.float64)
    if _agree(found, np.where(x < 0, slope * x, x)):
        return Activation("leaky_relu", negative_slope=slope)
    return None


def _clipped(found: np.ndarray) -> Activation | None:
    """Recognizes `clip(scale · x + offset, 0, largest)`.

    Among them are ReLU with a `max_value` and the hard sigmoid of Keras 2.
    """
    largest, offset = _at(found, 1e4), _at(found, 0)
    if not 0 < largest < 1e4:
        return None
    x = _PROBES.astype(np.float64)
    for scale in (1.0, _at(found, 1) - offset):
        clipped = np.clip(scale * x + offset, 0, largest)
        if scale > 0 and _agree(found, clipped):
            unit = 6 / largest
            return Activation(
                "relu6", None, scale * unit, offset * unit, 1 / unit
            )
    return None


def _at(found: np.ndarray, x: float) -> float:
    return float(found[x == _PROBES].item())


def _agree(found: np.ndarray, expected: np.ndarray) -> bool:
    error = np.abs(found - expected)
    return bool((error <= _TOLERANCE * (1 + np.abs(expected))).all())


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _hard_sigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(x + 3, 0, 6) / 6


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


_erf = np.vectorize(math.erf, otypes=[np.float64])

_FUNCTIONS: dict[str, Function] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "elu": lambda x: np.where(x < 0, np.expm1(np.minimum(x, 0)), x),
    "sigmoid": _sigmoid,
    "hard_sigmoid": _hard_sigmoid,
    "tanh": np.tanh,
    "swish": lambda x: x * _sigmoid(x),
    "hard_swish": lambda x: x * _hard_sigmoid(x),
    "gelu": lambda x: x * 0.5 * (1 + _erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: (
        x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    ),
    "softmax": _softmax,
}
