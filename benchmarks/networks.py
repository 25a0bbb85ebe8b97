"""The networks of the benchmarks, for either Keras, and their batches."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tf_rigl.models import mlp

_CHARACTERS = 256
_SEQUENCE = 64


@dataclasses.dataclass(frozen=True)
class Network:
    """A network, and the steps in which its training is measured."""

    build: Callable[[Any], Any]  # makes a model that returns logits, of a Keras
    input_shape: tuple[int, ...]  # the shape of one example
    classes: int
    batch_size: int
    plain_steps: int  # steps to time after each step with a mask update
    cycles: int = 1  # the number of such sequences in one round

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Draws inputs and labels, which are the same in every process."""
        generator = np.random.default_rng(0)
        shape = (self.batch_size, *self.input_shape)
        if self.input_shape == (_SEQUENCE,):
            text = generator.integers(0, _CHARACTERS, shape)
            return text, np.roll(text, -1, axis=1)
        labels = generator.integers(0, self.classes, self.batch_size)
        return generator.random(shape, np.float32), labels


def _wide_mlp(keras: Any) -> Any:
    return mlp.lenet_300_100(
        keras, (4096,), hidden_units=(4096, 4096, 4096), name="wide_mlp"
    )


def _application(name: str, side: int) -> Callable[[Any], Any]:
    """Builds a network of `keras.applications` for ten classes."""
    return lambda keras: getattr(keras.applications, name)(
        input_shape=(side, side, 3),
        weights=None,
        classes=10,
        classifier_activation=None,
    )


def _gru(keras: Any) -> Any:
    characters = keras.Input((_SEQUENCE,), dtype="int64")
    features = keras.layers.Embedding(_CHARACTERS, 128)(characters)
    features = keras.layers.GRU(512, return_sequences=True)(features)
    logits = keras.layers.Dense(_CHARACTERS)(features)
    return keras.Model(characters, logits, name="gru")


# The small network runs whole intervals of ΔT = 100 steps.
NETWORKS = {
    "lenet_300_100": Network(
        mlp.lenet_300_100, (28, 28), 10, 128, plain_steps=99, cycles=2
    ),
    "mobilenet": Network(
        _application("MobileNet", 96), (96, 96, 3), 10, 16, plain_steps=19
    ),
    "resnet50": Network(
        _application("ResNet50", 64), (64, 64, 3), 10, 16, plain_steps=9
    ),
    "gru": Network(_gru, (_SEQUENCE,), _CHARACTERS, 16, plain_steps=9),
    "wide_mlp": Network(_wide_mlp, (4096,), 10, 16, plain_steps=9),
}
