"""The convolutional networks VGG-11 to VGG-19."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models import initial_values
from tf_rigl.models import size

# Number of convolutions of each stage.
DEPTHS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}

_FILTERS = (64, 128, 256, 512, 512)  # per stage


def vgg(
    keras: ModuleType,
    depth: int = 16,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    hidden_units: Sequence[int] = (4096, 4096),
    batch_normalization: bool = False,
    dropout: float = 0.5,
    width: float = 1.0,
    name: str | None = None,
    *,
    kernel_initializer: str | None = None,
    last_pool: bool = True,
    widths: Sequence[int] | None = None,
    normalize_hidden: bool = False,
    initialization: str | None = None,
) -> Any:
    """Builds a VGG network.

    As published, VGG-16 has 138,344,128 weights and 13,416 biases, and VGG-19
    143,652,544 and 14,696; three quarters of the weights are in the first
    hidden layer. `hidden_units=()`, which is common for CIFAR and used by
    google-research/rigl, replaces the hidden layers by global average pooling;
    VGG-19 then has 20,024,000 weights for CIFAR-10, 5,120 of them in `logits`.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        depth: 11, 13, 16 or 19, the number of convolutions plus the three
            published layers after them.
        input_shape: height, width and channels of an image; its sides are
            halved five times.
        classes: number of logits.
        hidden_units: widths of the fully connected layers before the logits.
        batch_normalization: whether to normalize after convolutions; otherwise
            they have biases.
        dropout: dropout rate of each hidden layer, in [0, 1).
        width: multiplier of the numbers of filters and hidden units. A narrowed
            layer keeps at least one.
        name: name of the model; None for `vgg_` and the depth.
        kernel_initializer: distribution of the initial values of all kernels,
            by Keras's name; None for He's normal ones, with Glorot's uniform
            ones in `logits`.
        last_pool: whether max pooling follows the last stage, as published;
            otherwise global average pooling sees 2 × 2 pixels of CIFAR.
        widths: numbers of filters of all convolutions, before `width`; None for
            the published ones.
        normalize_hidden: whether to normalize hidden layers, too. With one of
            512 units and no dropout, VGG-16 for CIFAR-10 has the 14,987,722
            parameters of Li et al., arXiv:1608.08710.
        initialization: `"slimming"` for the initial values of network slimming;
            see `initial_values`. None for those of `kernel_initializer`.

    Returns:
        A functional model of the given Keras from `[batch, *input_shape]` to
        logits `[batch, classes]`.

    Raises:
        ValueError: if `depth` is unsupported, an image is smaller than 32 × 32,
            `dropout` is not in [0, 1), `classes`, `width` or a hidden width is
            not positive, `initialization` is unknown or given with a
            `kernel_initializer`, or there are too many or too few `widths` or
            one is not positive.

    References: Simonyan and Zisserman, "Very Deep Convolutional Networks for
    Large-Scale Image Recognition", arXiv:1409.1556, table 1. Initial values
    as in google-research/rigl, `imagenet_resnet/vgg.py`.
    """
    size.check_size(classes, width)
    size.check_fraction("dropout", dropout)
    if depth not in DEPTHS:
        raise ValueError(
            f"`depth` must be one of {sorted(DEPTHS)}. Received: depth={depth}."
        )
    size.check_units(hidden_units)
    initial = initial_values.choose(keras, initialization, kernel_initializer)

    input_shape = tuple(input_shape)
    if min(input_shape[:2]) < 2 ** len(_FILTERS):
        raise ValueError(
            "Images must be at least 32 × 32, since they are halved five "
            f"times. Received: input_shape={input_shape}."
        )

    layers = keras.layers
    images = keras.Input(shape=input_shape, name="images")
    features = images

    usual: list[int] = []
    for own, number in zip(_FILTERS, DEPTHS[depth], strict=True):
        usual += [size.narrow(own, width)] * number
    filters = iter(size.given_filters(widths, usual, width))

    for stage, number in enumerate(DEPTHS[depth]):
        for index in range(number):
            label = f"conv{stage + 1}_{index + 1}"
            features = _convolve(
                keras,
                features,
                next(filters),
                batch_normalization,
                initial,
                label,
            )
        if last_pool or stage + 1 < len(_FILTERS):
            features = layers.MaxPooling2D(2, name=f"pool{stage + 1}")(features)

    if hidden_units:
        features = layers.Flatten(name="flatten")(features)
    else:
        features = layers.GlobalAveragePooling2D(name="pool")(features)
    for index, units in enumerate(hidden_units, start=1):
        features = layers.Dense(
            size.narrow(units, width),
            activation=None if normalize_hidden else "relu",
            kernel_initializer=initial.kernels or "he_normal",
            name=f"fc{index}",
        )(features)
        if normalize_hidden:
            features = _normalize(keras, features, initial, f"fc{index}_norm")
            features = layers.ReLU()(features)
        features = layers.Dropout(dropout)(features)

    logits = layers.Dense(
        classes,
        kernel_initializer=initial.logits or "glorot_uniform",
        name="logits",
    )(features)
    return keras.Model(images, logits, name=name or f"vgg_{depth}")


def _convolve(
    keras: ModuleType,
    features: Any,
    filters: int,
    batch_normalization: bool,
    initial: initial_values.InitialValues,
    name: str,
) -> Any:
    layers = keras.layers
    features = layers.Conv2D(
        filters,
        3,
        padding="same",
        use_bias=not batch_normalization,
        kernel_initializer=initial.kernels or "he_normal",
        name=name,
    )(features)
    if batch_normalization:
        features = _normalize(keras, features, initial, f"{name}_norm")
    return layers.ReLU()(features)


def _normalize(
    keras: ModuleType,
    features: Any,
    initial: initial_values.InitialValues,
    name: str,
) -> Any:
    return keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=initial.scales, name=name
    )(features)
