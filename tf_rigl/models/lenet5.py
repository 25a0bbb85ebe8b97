"""The convolutional network LeNet-5."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models import size

_LEAST = 16  # smallest side, of which the convolutions and pools leave 1 pixel


def lenet_5(
    keras: ModuleType,
    input_shape: Sequence[int] = (28, 28),
    classes: int = 10,
    filters: Sequence[int] = (6, 16),
    hidden_units: Sequence[int] = (120, 84),
    width: float = 1.0,
    name: str = "lenet_5",
) -> Any:
    """Builds LeNet-5, with two 5×5 convolutions and two hidden layers.

    This is the modern form of the network, with ReLU, max pooling and every
    filter connected to all channels. It has 44,190 weights and 236 biases for
    28 × 28 pixels, as in google-research/rigl, and 61,470 and 236 for the
    paper's 32 × 32.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        input_shape: height, width and, optionally, channels of an image; one
            channel by default.
        classes: number of logits.
        filters: numbers of filters of the two convolutions.
        hidden_units: widths of the fully connected layers before the logits.
        width: multiplier of these numbers. A narrowed layer keeps at least one
            unit, and the last hidden layer at least one per class.
        name: name of the model.

    Returns:
        A functional model of the given Keras from `[batch, *input_shape]` to
        logits `[batch, classes]`.

    Raises:
        ValueError: if an image is smaller than 16 × 16, there are not exactly
            two `filters`, or a number is not positive.

    References: LeCun et al., "Gradient-Based Learning Applied to Document
    Recognition", Proceedings of the IEEE 86(11), 1998, section II.B.
    google-research/rigl, `rigl_tf2/networks.py`.
    """
    size.check_size(classes, width)
    if len(filters) != 2 or min(*filters, *hidden_units) < 1:
        raise ValueError(
            "`filters` must be two and all `filters` and `hidden_units` "
            f"positive. Received: filters={tuple(filters)}, "
            f"hidden_units={tuple(hidden_units)}."
        )

    input_shape = tuple(input_shape)
    if len(input_shape) not in (2, 3) or min(input_shape[:2]) < _LEAST:
        raise ValueError(
            "`input_shape` must be (height, width) or (height, width, "
            f"channels) of at least {_LEAST} × {_LEAST} pixels. "
            f"Received: input_shape={input_shape}."
        )

    layers = keras.layers
    images = keras.Input(shape=input_shape, name="images")
    features = images
    if len(input_shape) == 2:
        features = layers.Reshape((*input_shape, 1), name="channel")(features)

    for number, full in enumerate(filters, start=1):
        features = layers.Conv2D(
            size.narrow(full, width), 5, activation="relu", name=f"conv{number}"
        )(features)
        features = layers.MaxPooling2D(2, name=f"pool{number}")(features)

    features = layers.Flatten(name="flatten")(features)
    for number, full in enumerate(hidden_units, start=1):
        is_last = number == len(hidden_units)
        units = size.narrow(full, width, classes if is_last else 1)
        features = layers.Dense(units, activation="relu", name=f"fc{number}")(
            features
        )

    logits = layers.Dense(classes, name="logits")(features)
    return keras.Model(images, logits, name=name)
