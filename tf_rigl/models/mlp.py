"""The multilayer perceptron LeNet-300-100."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models import fully_connected
from tf_rigl.models import size


def lenet_300_100(
    keras: ModuleType,
    input_shape: Sequence[int] = (28, 28),
    classes: int = 10,
    hidden_units: Sequence[int] = (300, 100),
    width: float = 1.0,
    name: str = "lenet_300_100",
    *,
    dropout: float = 0.0,
    kernel_initializer: str = "glorot_uniform",
) -> Any:
    """Builds the fully connected network LeNet-300-100.

    The layers are `flatten`, `fc1`, `fc2` and `logits`, with 266,200 weights
    and 410 biases for MNIST.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        input_shape: shape of one example.
        classes: number of logits.
        hidden_units: widths of the hidden layers.
        width: multiplier of these widths. A narrowed layer keeps at least one
            unit. The last hidden layer keeps at least one per class, since
            fewer could hardly separate the classes.
        name: name of the model.
        dropout: dropout rate of each hidden layer, in [0, 1).
        kernel_initializer: distribution of the initial values of all kernels,
            by Keras's name; biases are 0.

    Returns:
        A functional model of the given Keras from `[batch, *input_shape]` to
        logits `[batch, classes]`.

    Raises:
        ValueError: if `classes` or a width is not positive, or `dropout` is not
            in [0, 1).

    Reference: LeCun et al., "Gradient-Based Learning Applied to Document
    Recognition", Proceedings of the IEEE 86(11), 1998, section III.C.
    """
    size.check_size(classes, width)
    size.check_fraction("dropout", dropout)
    size.check_units(hidden_units)

    inputs = keras.Input(shape=tuple(input_shape), name="images")
    logits = fully_connected.classify(
        keras,
        inputs,
        hidden_units,
        classes,
        width,
        dropout,
        kernel_initializer,
    )
    return keras.Model(inputs, logits, name=name)
