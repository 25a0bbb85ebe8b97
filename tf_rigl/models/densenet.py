"""Densely connected networks for small images."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models import initial_values
from tf_rigl.models import pre_activation
from tf_rigl.models import size

_BLOCKS = 3


def densenet(
    keras: ModuleType,
    depth: int = 40,
    growth: int = 12,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    name: str | None = None,
    *,
    initialization: str | None = "slimming",
) -> Any:
    """Builds a DenseNet for small images, such as DenseNet-40 of growth 12.

    A 3×3 convolution of 2 · `growth` filters and three blocks. Each layer of a
    block, normalization, ReLU and a 3×3 convolution, appends `growth` channels
    to those that it reads. Between blocks a 1×1 convolution keeps the number of
    channels, and average pooling halves the images. DenseNet-40 of growth 12
    has 1,059,298 parameters for 10 classes and 1,100,428 for 100, not counting
    the moving averages of BatchNormalization.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        depth: 3 n + 4 for three blocks of n layers.
        growth: channels that a layer appends.
        input_shape: height, width and channels of an image.
        classes: number of logits.
        width: multiplier of `growth`, which stays at least 1.
        name: name of the model; None for a name such as `densenet_40_12`.
        initialization: `"slimming"` for the initial values of network slimming;
            see `initial_values`. None for Keras's.

    Returns:
        A functional model of the given Keras from `[batch, *input_shape]` to
        logits `[batch, classes]`.

    Raises:
        ValueError: if `depth` is not 3 n + 4, `initialization` is unknown, or
            `growth`, `classes` or `width` is not positive.

    References: Huang et al., "Densely Connected Convolutional Networks",
    arXiv:1608.06993, without bottlenecks and compression, with the layers of
    Liu et al., "Learning Efficient Convolutional Networks through Network
    Slimming", arXiv:1708.06519.
    """
    size.check_size(classes, width)
    if depth < 7 or depth % 3 != 1:
        raise ValueError(
            "`depth` must be 3 n + 4 for n layers a block: 7, 10, 13, ... "
            f"Received: depth={depth}."
        )
    if growth < 1:
        raise ValueError(
            f"`growth` must be positive. Received: growth={growth}."
        )
    initial = initial_values.choose(keras, initialization)
    added = size.narrow(growth, width)

    layers = keras.layers
    images = keras.Input(shape=tuple(input_shape), name="images")
    features = pre_activation.convolve(
        keras, images, 2 * added, 3, 1, initial, "conv1"
    )
    for block in range(1, _BLOCKS + 1):
        for index in range((depth - 4) // 3):
            label = f"block{block}_{index}"
            new = pre_activation.activate(
                keras, features, initial, f"{label}_norm"
            )
            new = pre_activation.convolve(
                keras, new, added, 3, 1, initial, f"{label}_conv"
            )
            features = layers.Concatenate()([features, new])
        if block < _BLOCKS:
            label, channels = f"transition{block}", features.shape[-1]
            features = pre_activation.activate(
                keras, features, initial, f"{label}_norm"
            )
            features = pre_activation.convolve(
                keras, features, channels, 1, 1, initial, f"{label}_conv"
            )
            features = layers.AveragePooling2D(2)(features)

    features = pre_activation.activate(keras, features, initial, "norm")
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    logits = layers.Dense(
        classes,
        kernel_initializer=initial.logits or "glorot_uniform",
        name="logits",
    )(features)
    name = name or f"densenet_{depth}_{growth}"
    return keras.Model(images, logits, name=name)
