"""MobileNet v1 and v2, as published and as XNNPACK runs them sparse.

The two forms have the same weights. They differ in where strided convolutions
put their zeros: TensorFlow's padding "same" adds them at the bottom and at the
right alone where the size of the picture is even. XNNPACK's sparse kernels
want one row or column on each side.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from tf_rigl.models import size

# Filters and strides of the separable convolutions: table 1 of the paper.
_V1_BLOCKS = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *((512, 1),) * 5,
    (1024, 2),
    (1024, 1),
)

# Expansion, filters, repeats and strides of the bottlenecks: table 2.
_V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v1(
    keras: ModuleType,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.0,
    sparse_inference: bool = False,
    name: str = "mobilenet_v1",
) -> Any:
    """Builds MobileNet v1.

    A 3×3 convolution of stride 2, 13 separable convolutions, each a depthwise
    3×3 and a 1×1 convolution, all with batch normalization and ReLU6, then the
    mean over all positions and a dense layer to the logits. At width 1,
    4,253,864 parameters and, on 224×224 images, 568.7 million multiply-adds.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        input_shape: shape of one image, `(height, width, channels)`; its
            values are best in [-1, 1].
        classes: number of logits.
        width: what to multiply all numbers of filters by, rounded down.
        dropout: rate of dropout before the logits, in [0, 1).
        sparse_inference: whether strided convolutions are padded by one on
            each side, so that XNNPACK can run the model sparse; else by
            TensorFlow's padding "same", as published.
        name: name of the model.

    Returns:
        A functional model of that Keras, `[batch, height, width, channels]`
        to logits `[batch, classes]`.

    Raises:
        ValueError: if `classes` or `width` is not positive, or `dropout` not
            in [0, 1).

    Reference: Howard et al., "MobileNets: Efficient Convolutional Neural
    Networks for Mobile Vision Applications", arXiv:1704.04861.
    """
    size.check_size(classes, width)
    size.check_fraction("dropout", dropout)
    network = _Builder(keras, sparse_inference)
    images = keras.Input(shape=tuple(input_shape), name="images")
    features = network.convolve(images, _scaled(32, width), 3, 2, "conv")
    for number, (filters, strides) in enumerate(_V1_BLOCKS, start=1):
        features = network.depthwise(features, strides, f"block{number}_dw")
        features = network.convolve(
            features, _scaled(filters, width), 1, 1, f"block{number}_pw"
        )
    logits = network.classify(features, classes, dropout)
    return keras.Model(images, logits, name=name)


def mobilenet_v2(
    keras: ModuleType,
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    width: float = 1.0,
    dropout: float = 0.0,
    sparse_inference: bool = False,
    name: str = "mobilenet_v2",
) -> Any:
    """Builds MobileNet v2.

    A 3×3 convolution of stride 2, 17 inverted residual blocks, each a 1×1
    convolution that expands, a depthwise 3×3 one and a 1×1 one that projects
    without an activation, then a 1×1 convolution, the mean over all positions
    and a dense layer to the logits. At width 1, 3,538,984 parameters and, on
    224×224 images, 300.8 million multiply-adds.

    Arguments, result and errors are those of `mobilenet_v1`, but for `width`:
    filters are rounded to multiples of 8, and those of the last convolution
    are never fewer than 1280.

    Reference: Sandler et al., "MobileNetV2: Inverted Residuals and Linear
    Bottlenecks", arXiv:1801.04381.
    """
    size.check_size(classes, width)
    size.check_fraction("dropout", dropout)
    network = _Builder(keras, sparse_inference)

    images = keras.Input(shape=tuple(input_shape), name="images")
    features = network.convolve(images, _by_eight(32 * width), 3, 2, "conv")

    number = 0
    for expansion, filters, repeats, stage_strides in _V2_STAGES:
        for repeat in range(repeats):
            number += 1
            features = network.bottleneck(
                features,
                expansion,
                _by_eight(filters * width),
                1 if repeat else stage_strides,
                f"block{number}",
            )

    last = _by_eight(1280 * max(1.0, width))
    features = network.convolve(features, last, 1, 1, "last")
    logits = network.classify(features, classes, dropout)
    return keras.Model(images, logits, name=name)


class _Builder:
    """Builds the blocks that both networks are made of."""

    def __init__(self, keras: ModuleType, pad_each_side: bool) -> None:
        self._layers = keras.layers
        self._pad_each_side = pad_each_side

    def convolve(
        self,
        features: Any,
        filters: int,
        side: int,
        strides: int,
        name: str,
        activate: bool = True,
    ) -> Any:
        """Applies convolution, normalization and, unless told not to, ReLU6."""
        features, padding = self._pad(features, strides, name)
        features = self._layers.Conv2D(
            filters, side, strides, padding=padding, use_bias=False, name=name
        )(features)
        return self._normalize(features, name, activate)

    def depthwise(self, features: Any, strides: int, name: str) -> Any:
        """Applies a depthwise 3×3 convolution, normalization and ReLU6."""
        features, padding = self._pad(features, strides, name)
        features = self._layers.DepthwiseConv2D(
            3, strides, padding=padding, use_bias=False, name=name
        )(features)
        return self._normalize(features, name, activate=True)

    def bottleneck(
        self,
        features: Any,
        expansion: int,
        filters: int,
        strides: int,
        name: str,
    ) -> Any:
        """Applies an inverted residual block."""
        channels = features.shape[-1]
        branch = features
        if expansion > 1:
            branch = self.convolve(
                branch, expansion * channels, 1, 1, f"{name}_expand"
            )
        branch = self.depthwise(branch, strides, f"{name}_dw")
        branch = self.convolve(
            branch, filters, 1, 1, f"{name}_project", activate=False
        )
        if strides == 1 and channels == filters:
            return self._layers.Add(name=f"{name}_add")([features, branch])
        return branch

    def classify(self, features: Any, classes: int, dropout: float) -> Any:
        """Computes the logits, from the mean over all positions."""
        layers = self._layers
        # Not a 1×1 convolution of the mean, which XNNPACK's sparse kernels
        # compute wrongly.
        features = layers.GlobalAveragePooling2D(name="pool")(features)
        if dropout:
            features = layers.Dropout(dropout, name="dropout")(features)
        return layers.Dense(classes, name="logits")(features)

    def _pad(self, features: Any, strides: int, name: str) -> tuple[Any, str]:
        """Returns the input of a convolution and how that is padded."""
        if strides == 1 or not self._pad_each_side:
            return features, "same"
        padded = self._layers.ZeroPadding2D(1, name=f"{name}_pad")(features)
        return padded, "valid"

    def _normalize(self, features: Any, name: str, activate: bool) -> Any:
        layers = self._layers
        features = layers.BatchNormalization(name=f"{name}_norm")(features)
        if not activate:
            return features
        return layers.ReLU(6.0, name=f"{name}_relu")(features)


def _scaled(filters: int, width: float) -> int:
    return max(1, int(filters * width))


def _by_eight(filters: float) -> int:
    """Returns the nearest multiple of 8 that is at least 90 % of `filters`."""
    nearest = max(8, int(filters + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * filters else nearest
