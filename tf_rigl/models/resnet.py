"""Residual networks: ResNet v1.5, and those for small images."""

import itertools
from collections.abc import Sequence
from types import ModuleType
from typing import Any
from typing import NamedTuple

from tf_rigl.models.size import check_size
from tf_rigl.models.size import check_sums
from tf_rigl.models.size import given_filters
from tf_rigl.models.size import narrow


class _Options(NamedTuple):
    """The initial values of all layers, and the kind of the shortcuts."""

    kernels: str | None  # Keras's name; None for He's of truncated normals
    last_scale: str  # of the last normalization of a block
    shortcuts: str = "projection"  # one of `SHORTCUTS`


class Blocks(NamedTuple):
    """Number and kind of blocks for one depth."""

    numbers: tuple[int, ...]  # blocks per stage
    bottleneck: bool


DEPTHS = {
    18: Blocks((2, 2, 2, 2), bottleneck=False),
    34: Blocks((3, 4, 6, 3), bottleneck=False),
    50: Blocks((3, 4, 6, 3), bottleneck=True),
    101: Blocks((3, 4, 23, 3), bottleneck=True),
}

_FILTERS = (64, 128, 256, 512)  # per stage
_SMALL_FILTERS = (16, 32, 64)  # per stage, of networks for small images
_EXPANSION = 4  # filters of a bottleneck's last convolution, as a multiple
SHORTCUTS = ("projection", "padding")  # where a stage begins


def resnet(
    keras: ModuleType,
    depth: int = 50,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    small_images: bool = False,
    name: str | None = None,
    *,
    widths: Sequence[int] | None = None,
) -> Any:
    """Builds a residual network for images.

    In a bottleneck, the 3×3 convolution has the stride ("version 1.5"). The
    scale of the last normalization of each block is initialized to 0. Strided
    convolutions pad both sides equally for every image size.

    | depth | kernel weights | biases and BatchNormalization | MACs at 224² |
    | ----- | -------------- | ----------------------------- | ------------ |
    | 18    | 11,678,912     | 10,600                        | 1.814 G      |
    | 34    | 21,779,648     | 18,024                        | 3.664 G      |
    | 50    | 25,502,912     | 54,120                        | 4.089 G      |
    | 101   | 44,442,816     | 106,344                       | 7.801 G      |

    The moving averages of BatchNormalization are not counted.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        depth: 18 or 34 for blocks of two 3×3 convolutions, 50 or 101 for
            bottlenecks.
        input_shape: height, width and channels of an image.
        classes: number of logits.
        width: multiplier of all numbers of filters. A narrowed layer keeps at
            least one filter.
        small_images: whether to start with a 3×3 convolution of stride 1, as is
            usual for CIFAR, instead of a 7×7 convolution and pooling, which
            reduce height and width to a quarter.
        name: name of the model; None for `resnet_` and the depth.
        widths: numbers of filters of all convolutions, before `width`, in the
            order of the layers and without those of shortcuts; None for the
            published ones. The last ones of a stage's blocks are equal.

    Returns:
        A functional model of the given Keras from `[batch, *input_shape]` to
        logits `[batch, classes]`.

    Raises:
        ValueError: if `depth` is unsupported, `classes` or `width` is not
            positive, or there are too many or too few `widths`, one is not
            positive, or blocks of a stage differ in the last ones.

    References: He et al., "Deep Residual Learning for Image Recognition",
    arXiv:1512.03385. Goyal et al., "Accurate, Large Minibatch SGD",
    arXiv:1706.02677, sections 5.1 (initial values) and 5.5. Hyper-parameters:
    google-research/rigl, `imagenet_resnet/resnet_model.py`.
    """
    check_size(classes, width)
    if depth not in DEPTHS:
        raise ValueError(
            f"`depth` must be one of {sorted(DEPTHS)}. Received: depth={depth}."
        )

    images = keras.Input(shape=tuple(input_shape), name="images")
    filters = [narrow(one, width) for one in _FILTERS]
    usual = block_filters(filters, DEPTHS[depth])
    filters = given_filters(widths, usual, width)
    options = _Options(kernels=None, last_scale="zeros")
    features = _stem(keras, images, filters[0], small_images, options)
    features = _stages(keras, features, filters[1:], DEPTHS[depth], options)
    logits = keras.layers.Dense(
        classes,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        name="logits",
    )(features)
    return keras.Model(images, logits, name=name or f"resnet_{depth}")


def small_resnet(
    keras: ModuleType,
    depth: int = 20,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    kernel_initializer: str = "he_normal",
    width: float = 1.0,
    name: str | None = None,
    *,
    shortcuts: str = "projection",
    widths: Sequence[int] | None = None,
) -> Any:
    """Builds a residual network for small images, such as ResNet-20.

    A 3×3 convolution and three stages of blocks of two, with 16, 32 and 64
    filters. Where a stage begins, a 1×1 convolution projects the shortcut:
    `layer2_0_downsample` and `layer3_0_downsample`. ResNet-20 has 270,896
    kernel weights, of which 2,560 are in these and 640 in `logits`.

    Shortcuts without parameters have weights and biases, those of
    BatchNormalization included, of

    | depth | parameters | MACs at 32² |
    | ----- | ---------- | ----------- |
    | 56    | 853,018    | 125.5 M     |
    | 110   | 1,727,962  | 252.9 M     |

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        depth: 6 n + 2 for three stages of n blocks.
        input_shape: height, width and channels of an image.
        classes: number of logits.
        kernel_initializer: distribution of the initial values of all kernels,
            by Keras's name.
        width: multiplier of all numbers of filters. A narrowed layer keeps at
            least one filter.
        name: name of the model; None for `resnet_` and the depth.
        shortcuts: `"projection"`, or `"padding"` for ones without parameters:
            2×2 average pooling, and channels of zeros behind the others.
        widths: numbers of filters of all convolutions, before `width`, in the
            order of the layers and without those of shortcuts; None for the
            published ones. The last ones of a stage's blocks are equal.

    Returns:
        A functional model of the given Keras from `[batch, *input_shape]` to
        logits `[batch, classes]`.

    Raises:
        ValueError: if `depth` is not 6 n + 2, `classes` or `width` is not
            positive, `shortcuts` is unknown, there are too many or too few
            `widths`, one is not positive, blocks of a stage differ in the last
            ones, or shortcuts that pad lead to a number of channels that is no
            multiple of the former.

    References: He et al., "Deep Residual Learning for Image Recognition",
    arXiv:1512.03385, section 4.2, with projections (option B) or without
    (option A, whose pooling is that of Liu et al., "Rethinking the Value of
    Network Pruning", arXiv:1810.05270).
    """
    check_size(classes, width)
    if depth < 8 or depth % 6 != 2:
        raise ValueError(
            "`depth` must be 6 n + 2 for n blocks a stage: 8, 14, 20, 26, "
            f"... Received: depth={depth}."
        )

    if shortcuts not in SHORTCUTS:
        raise ValueError(
            f"`shortcuts` must be one of {SHORTCUTS}. Received: "
            f"shortcuts={shortcuts!r}."
        )

    images = keras.Input(shape=tuple(input_shape), name="images")
    filters = [narrow(one, width) for one in _SMALL_FILTERS]
    blocks = Blocks((depth // 6,) * 3, bottleneck=False)
    filters = given_filters(widths, block_filters(filters, blocks), width)
    options = _Options(kernel_initializer, "ones", shortcuts)
    features = _stem(keras, images, filters[0], True, options)
    features = _stages(keras, features, filters[1:], blocks, options)
    logits = keras.layers.Dense(
        classes, kernel_initializer=kernel_initializer, name="logits"
    )(features)
    return keras.Model(images, logits, name=name or f"resnet_{depth}")


def block_filters(filters: Sequence[int], blocks: Blocks) -> list[int]:
    """Returns the filters of all convolutions, that of the stem first.

    `filters` has a number for each stage, the first one also of the stem.
    """
    found = [filters[0]]
    for number, own in zip(blocks.numbers, filters, strict=True):
        block = [own, own, _EXPANSION * own] if blocks.bottleneck else [own] * 2
        found += block * number
    return found


def _stages(
    keras: ModuleType,
    features: Any,
    filters: Sequence[int],
    blocks: Blocks,
    options: _Options,
) -> Any:
    """Applies all stages, whose convolutions have `filters`, and pools."""
    size = 3 if blocks.bottleneck else 2  # convolutions of a block
    check_sums(filters, size, blocks.numbers)
    left = iter(filters)

    for stage, number in enumerate(blocks.numbers):
        for index in range(number):
            strides = 2 if stage > 0 and index == 0 else 1
            own = list(itertools.islice(left, size))
            block = [(own[0], 3, strides), (own[1], 3, 1)]
            if blocks.bottleneck:
                block = [(own[0], 1, 1), (own[1], 3, strides), (own[2], 1, 1)]
            label = f"layer{stage + 1}_{index}"
            features = _block(keras, features, block, label, options)
    return keras.layers.GlobalAveragePooling2D(name="pool")(features)


def _stem(
    keras: ModuleType, images: Any, filters: int, small: bool, options: _Options
) -> Any:
    size, strides = (3, 1) if small else (7, 2)
    features = _convolve(
        keras, images, filters, size, strides, "conv1", options.kernels
    )
    features = keras.layers.ReLU()(features)
    if small:
        return features
    return keras.layers.MaxPooling2D(3, strides=2, padding="same")(features)


def _block(
    keras: ModuleType,
    inputs: Any,
    convolutions: Sequence[tuple[int, int, int]],
    name: str,
    options: _Options,
) -> Any:
    """Adds convolutions given as (filters, size, strides) to a shortcut."""
    relu = keras.layers.ReLU
    branch = inputs
    for number, convolution in enumerate(convolutions, start=1):
        is_last = number == len(convolutions)
        branch = _convolve(
            keras,
            branch,
            *convolution,
            f"{name}_conv{number}",
            options.kernels,
            options.last_scale if is_last else "ones",
        )
        if not is_last:
            branch = relu()(branch)

    strides = max(strides for _, _, strides in convolutions)
    shortcut, filters = inputs, convolutions[-1][0]
    if strides > 1 or inputs.shape[-1] != filters:
        shortcut = _shortcut(keras, inputs, filters, strides, name, options)
    return relu()(keras.layers.Add()([shortcut, branch]))


def _shortcut(
    keras: ModuleType,
    inputs: Any,
    filters: int,
    strides: int,
    name: str,
    options: _Options,
) -> Any:
    """Makes images smaller, and gives them a number of channels."""
    if options.shortcuts == "projection":
        label = f"{name}_downsample"
        return _convolve(
            keras, inputs, filters, 1, strides, label, options.kernels
        )

    layers, features = keras.layers, inputs
    if strides > 1:
        features = layers.AveragePooling2D(strides, name=f"{name}_pool")(inputs)
    missing, channels = filters - features.shape[-1], features.shape[-1]
    if missing < 0 or missing % channels:
        raise ValueError(
            "Shortcuts that pad lead to a multiple of the channels that they "
            f"come from. Received: {filters} of {channels} in {name!r} for "
            "shortcuts='padding'. Choose other widths, or "
            "shortcuts='projection'."
        )
    if not missing:
        return features

    # Layers that each Keras saves and `shrink` can follow, which `pad` of a
    # tensor would not be.
    zeros = layers.Rescaling(0.0, name=f"{name}_zeros")(features)
    parts = [features, *[zeros] * (missing // channels)]
    return layers.Concatenate(name=f"{name}_padded")(parts)


def _convolve(
    keras: ModuleType,
    features: Any,
    filters: int,
    size: int,
    strides: int,
    name: str,
    kernels: str | None,
    scale: str = "ones",
) -> Any:
    """Applies a convolution and a normalization initialized with `scale`."""
    if strides > 1 and size > 1:
        # "same" would pad images of even size by one more on one side.
        features = keras.layers.ZeroPadding2D((size - 1) // 2)(features)

    features = keras.layers.Conv2D(
        filters,
        size,
        strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        kernel_initializer=kernels or keras.initializers.VarianceScaling(),
        name=name,
    )(features)

    return keras.layers.BatchNormalization(
        momentum=0.9,
        epsilon=1e-5,
        gamma_initializer=scale,
        name=f"{name}_norm",
    )(features)
