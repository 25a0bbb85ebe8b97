"""Residual networks of bottlenecks with normalization before convolutions."""

import itertools
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models import initial_values
from tf_rigl.models import pre_activation
from tf_rigl.models import size
from tf_rigl.models.initial_values import InitialValues

_STEM = 16  # filters of the first convolution
_FILTERS = (16, 32, 64)  # per stage, of the first two convolutions of a block
_EXPANSION = 4  # filters of the last one, as a multiple
_CONVOLUTIONS = 3  # of a block


def preresnet(
    keras: ModuleType,
    depth: int = 164,
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    width: float = 1.0,
    name: str | None = None,
    *,
    widths: Sequence[int] | None = None,
    initialization: str | None = "slimming",
) -> Any:
    """Builds a pre-activation residual network for small images.

    A 3×3 convolution and three stages of bottlenecks, whose last convolutions
    have 64, 128 and 256 filters. Normalization and ReLU precede each of them.
    In the first block of a stage, a 1×1 convolution of the block's inputs, with
    neither, is the shortcut.

    | depth | parameters, 10 classes | 100 classes |
    | ----- | ---------------------- | ----------- |
    | 101   | 1,054,106              | 1,077,236   |
    | 164   | 1,703,258              | 1,726,388   |

    The moving averages of BatchNormalization are not counted.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        depth: 9 n + 2 for three stages of n blocks.
        input_shape: height, width and channels of an image.
        classes: number of logits.
        width: multiplier of all numbers of filters. A narrowed layer keeps at
            least one filter.
        name: name of the model; None for `preresnet_` and the depth.
        widths: numbers of filters of all convolutions, before `width`, in the
            order of the layers and without those of shortcuts; None for the
            published ones. The last ones of a stage's blocks are equal.
        initialization: `"slimming"` for the initial values of network slimming;
            see `initial_values`. None for Keras's.

    Returns:
        A functional model of the given Keras from `[batch, *input_shape]` to
        logits `[batch, classes]`.

    Raises:
        ValueError: if `depth` is not 9 n + 2, `classes` or `width` is not
            positive, `initialization` is unknown, there are too many or too few
            `widths`, one is not positive, or blocks of a stage differ in the
            last ones.

    References: He et al., "Identity Mappings in Deep Residual Networks",
    arXiv:1603.05027, with the layers of Liu et al., "Learning Efficient
    Convolutional Networks through Network Slimming", arXiv:1708.06519. The
    depth of PreResNet-101 is that of Early-Bird Tickets, arXiv:1909.11957.
    """
    size.check_size(classes, width)
    if depth < 11 or depth % 9 != 2:
        raise ValueError(
            "`depth` must be 9 n + 2 for n bottlenecks a stage: 11, 20, 29, "
            f"... Received: depth={depth}."
        )
    initial = initial_values.choose(keras, initialization)
    blocks = depth // 9
    filters = _filters(widths, width, blocks)

    images = keras.Input(shape=tuple(input_shape), name="images")
    features = pre_activation.convolve(
        keras, images, filters[0], 3, 1, initial, "conv1"
    )
    left = iter(filters[1:])
    for stage in range(len(_FILTERS)):
        for index in range(blocks):
            strides = 2 if stage > 0 and index == 0 else 1
            own = list(itertools.islice(left, _CONVOLUTIONS))
            label = f"layer{stage + 1}_{index}"
            features = _block(keras, features, own, strides, initial, label)

    features = pre_activation.activate(keras, features, initial, "norm")
    features = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    logits = keras.layers.Dense(
        classes,
        kernel_initializer=initial.logits or "glorot_uniform",
        name="logits",
    )(features)
    return keras.Model(images, logits, name=name or f"preresnet_{depth}")


def _filters(
    widths: Sequence[int] | None, width: float, blocks: int
) -> list[int]:
    """Returns the filters of all convolutions but those of shortcuts."""
    usual = [size.narrow(_STEM, width)]
    for one in _FILTERS:
        own = size.narrow(one, width)
        usual += [own, own, size.narrow(_EXPANSION * one, width)] * blocks

    filters = size.given_filters(widths, usual, width)
    numbers = (blocks,) * len(_FILTERS)
    size.check_sums(filters[1:], _CONVOLUTIONS, numbers)
    return filters


def _block(
    keras: ModuleType,
    inputs: Any,
    filters: Sequence[int],
    strides: int,
    initial: InitialValues,
    name: str,
) -> Any:
    """Adds a bottleneck, whose 3×3 convolution has the strides."""
    branch = inputs
    kinds = ((1, 1), (3, strides), (1, 1))
    for number, (own, kind) in enumerate(zip(filters, kinds, strict=True), 1):
        branch = pre_activation.activate(
            keras, branch, initial, f"{name}_norm{number}"
        )
        branch = pre_activation.convolve(
            keras, branch, own, *kind, initial, f"{name}_conv{number}"
        )

    shortcut = inputs
    if strides > 1 or inputs.shape[-1] != filters[-1]:
        shortcut = pre_activation.convolve(
            keras,
            inputs,
            filters[-1],
            1,
            strides,
            initial,
            f"{name}_downsample",
        )
    return keras.layers.Add()([shortcut, branch])
