"""Wide residual networks for small images."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models.size import check_fraction
from tf_rigl.models.size import check_size
from tf_rigl.models.size import narrow

_STEM = 16  # filters of the first convolution
_FILTERS = (16, 32, 64)  # per group, before widening


def wide_resnet(
    keras: ModuleType,
    depth: int = 22,
    widening: int = 2,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    dropout: float = 0.3,
    width: float = 1.0,
    name: str | None = None,
) -> Any:
    """Builds the wide residual network WRN-depth-widening.

    Normalization and ReLU precede convolutions, and dropout is applied between
    the two 3×3 convolutions of a block. WRN-22-2, the RigL paper's network for
    CIFAR-10, has 1,076,912 kernel weights and 2,730 biases and weights of
    BatchNormalization, not counting its moving averages.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        depth: 6 n + 4 for three groups of n blocks.
        widening: k, the multiplier of the filters of the three groups, which
            are 16, 32 and 64.
        input_shape: height, width and channels of an image.
        classes: number of logits.
        dropout: dropout rate, in [0, 1).
        width: multiplier of all numbers of filters, including the first
            convolution's. A narrowed layer keeps at least one filter.
        name: name of the model; None for a name such as `wrn_22_2`.

    Returns:
        A functional model of the given Keras from `[batch, *input_shape]` to
        logits `[batch, classes]`.

    Raises:
        ValueError: if `depth` is not 6 n + 4, `dropout` is not in [0, 1), or
            `widening`, `classes` or `width` is not positive.

    References: Zagoruyko and Komodakis, "Wide Residual Networks",
    arXiv:1605.07146. Hyper-parameters: google-research/rigl,
    `cifar_resnet/resnet_model.py`.
    """
    check_size(classes, width)
    check_fraction("dropout", dropout)
    if depth < 10 or depth % 6 != 4:
        raise ValueError(
            "`depth` must be 6 n + 4 for n blocks a group: 10, 16, 22, 28, "
            f"... Received: depth={depth}."
        )
    if widening < 1:
        raise ValueError(
            f"`widening` must be positive. Received: widening={widening}."
        )

    layers = keras.layers
    images = keras.Input(shape=tuple(input_shape), name="images")
    features = _convolve(keras, images, narrow(_STEM, width), 3, 1, "conv1")

    for group, base in enumerate(_FILTERS, start=1):
        filters = narrow(base * widening, width)
        for index in range((depth - 4) // 6):
            strides = 2 if group > 1 and index == 0 else 1
            label = f"group{group}_{index}"
            features = _block(keras, features, filters, strides, dropout, label)

    features = _activate(keras, features, "norm")
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    logits = layers.Dense(classes, name="logits")(features)
    name = name or f"wrn_{depth}_{widening}"
    return keras.Model(images, logits, name=name)


def _block(
    keras: ModuleType,
    inputs: Any,
    filters: int,
    strides: int,
    dropout: float,
    name: str,
) -> Any:
    """Applies a pre-activation block of two 3×3 convolutions."""
    active = _activate(keras, inputs, f"{name}_norm1")
    shortcut = inputs
    if strides > 1 or inputs.shape[-1] != filters:
        shortcut = _convolve(
            keras, active, filters, 1, strides, f"{name}_shortcut"
        )
    branch = _convolve(keras, active, filters, 3, strides, f"{name}_conv1")
    branch = _activate(keras, branch, f"{name}_norm2")
    branch = keras.layers.Dropout(dropout)(branch)
    branch = _convolve(keras, branch, filters, 3, 1, f"{name}_conv2")
    return keras.layers.Add()([shortcut, branch])


def _activate(keras: ModuleType, features: Any, name: str) -> Any:
    features = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, name=name
    )(features)
    return keras.layers.ReLU()(features)


def _convolve(
    keras: ModuleType,
    features: Any,
    filters: int,
    size: int,
    strides: int,
    name: str,
) -> Any:
    return keras.layers.Conv2D(
        filters, size, strides, padding="same", use_bias=False, name=name
    )(features)
