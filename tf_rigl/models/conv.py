"""The convolutional networks Conv-2, Conv-4, Conv-6 and Conv-8."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models import fully_connected
from tf_rigl.models import size

DEPTHS = (2, 4, 6, 8)

_FILTERS = (64, 128, 256, 512)  # per pair of convolutions


def conv(
    keras: ModuleType,
    depth: int = 2,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    hidden_units: Sequence[int] = (256, 256),
    dropout: float = 0.0,
    kernel_initializer: str = "glorot_normal",
    width: float = 1.0,
    name: str | None = None,
) -> Any:
    """Builds a small VGG without normalization, of pairs of 3×3 convolutions.

    Max pooling follows each pair, and two hidden layers the last one. All
    layers have biases.

    | depth | kernel weights | of which in convolutions |
    | ----- | -------------- | ------------------------ |
    | 2     | 4,300,992      | 38,592                   |
    | 4     | 2,425,024      | 259,776                  |
    | 6     | 2,261,184      | 1,144,512                |
    | 8     | 5,275,840      | 4,683,456                |

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        depth: 2, 4, 6 or 8, the number of convolutions.
        input_shape: height, width and channels of an image.
        classes: number of logits.
        hidden_units: widths of the fully connected layers before the logits.
        dropout: dropout rate of each hidden layer, in [0, 1).
        kernel_initializer: distribution of the initial values of all kernels,
            by Keras's name; biases are 0.
        width: multiplier of the numbers of filters and hidden units. A narrowed
            layer keeps at least one, the last hidden layer at least one per
            class.
        name: name of the model; None for `conv_` and the depth.

    Returns:
        A functional model of the given Keras from `[batch, *input_shape]` to
        logits `[batch, classes]`.

    Raises:
        ValueError: if `depth` is unsupported, an image is smaller than its
            pools need, `dropout` is not in [0, 1), or `classes`, `width` or a
            hidden width is not positive.

    References: Frankle and Carbin, "The Lottery Ticket Hypothesis",
    arXiv:1803.03635, figure 2; Ramanujan et al., "What's Hidden in a Randomly
    Weighted Neural Network?", arXiv:1911.13299, table 1 (Conv-8).
    """
    size.check_size(classes, width)
    size.check_fraction("dropout", dropout)
    size.check_units(hidden_units)
    if depth not in DEPTHS:
        raise ValueError(
            f"`depth` must be one of {list(DEPTHS)}. Received: depth={depth}."
        )

    input_shape, pairs = tuple(input_shape), depth // 2
    if min(input_shape[:2]) < 2**pairs:
        raise ValueError(
            f"Images must be at least {2**pairs} × {2**pairs}, since they are "
            f"halved {pairs} times. Received: input_shape={input_shape}."
        )

    layers = keras.layers
    images = keras.Input(shape=input_shape, name="images")
    features = images
    for pair, full in enumerate(_FILTERS[:pairs], start=1):
        for index in (1, 2):
            features = layers.Conv2D(
                size.narrow(full, width),
                3,
                padding="same",
                activation="relu",
                kernel_initializer=kernel_initializer,
                name=f"conv{pair}_{index}",
            )(features)
        features = layers.MaxPooling2D(2, name=f"pool{pair}")(features)

    logits = fully_connected.classify(
        keras,
        features,
        hidden_units,
        classes,
        width,
        dropout,
        kernel_initializer,
    )
    return keras.Model(images, logits, name=name or f"conv_{depth}")
