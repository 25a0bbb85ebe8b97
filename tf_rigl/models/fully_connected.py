"""The fully connected end of a network: hidden layers, and logits."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models import size


def classify(
    keras: ModuleType,
    features: Any,
    hidden_units: Sequence[int],
    classes: int,
    width: float,
    dropout: float,
    kernel_initializer: str,
) -> Any:
    """Adds the layers `flatten`, `fc1`, `fc2`, … and `logits`.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        features: tensor of a functional model.
        hidden_units: widths of the hidden layers.
        classes: number of logits; the last hidden layer is not narrower.
        width: multiplier of the widths of the hidden layers.
        dropout: fraction of each hidden layer's outputs that is dropped; 0 for
            no such layers.
        kernel_initializer: distribution of the initial kernels.

    Returns:
        The logits.
    """
    layers = keras.layers
    features = layers.Flatten(name="flatten")(features)

    for number, full in enumerate(hidden_units, start=1):
        is_last = number == len(hidden_units)
        features = layers.Dense(
            size.narrow(full, width, classes if is_last else 1),
            activation="relu",
            kernel_initializer=kernel_initializer,
            name=f"fc{number}",
        )(features)
        if dropout:
            features = layers.Dropout(dropout, name=f"drop{number}")(features)

    return layers.Dense(
        classes, kernel_initializer=kernel_initializer, name="logits"
    )(features)
