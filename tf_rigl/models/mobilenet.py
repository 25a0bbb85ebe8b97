"""MobileNet v1 and v2, as published and in a form for sparse XNNPACK.

Both forms have the same weights but pad strided convolutions differently. For
images of even size, TensorFlow's padding "same" adds zeros only at the bottom
and at the right, whereas XNNPACK's sparse kernels need one row or column on
each side.
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

    The network has a 3×3 convolution of stride 2, 13 separable convolutions (a
    depthwise 3×3 and a 1×1 convolution), the mean over all positions and a
    dense layer to the logits. All convolutions are followed by batch
    normalization and ReLU6. At width 1 it has 4,253,864 parameters and, for
    224×224 images, 568.7 million multiply-adds.

    Args:
        keras: the Keras to build with, the module `keras` or `tf_keras`.
        input_shape: shape of one image, `(height, width, channels)`; values
            should be in [-1, 1].
        classes: number of logits.
        width: multiplier of all numbers of filters, rounded down.
        dropout: dropout rate before the logits, in [0, 1).
        sparse_inference: whether to pad strided convolutions by one on each
            side, so that XNNPACK can run the model sparse, instead of
            TensorFlow's "same" padding, as published.
        name: name of the model.

    Returns:
        A functional model of the given Keras from `[batch, height, width,
        channels]` to logits `[batch, classes]`.

    Raises:
        ValueError: if `classes` or `width` is not positive, or `dropout` is not
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

    The network has a 3×3 convolution of stride 2, 17 inverted residual blocks,
    a 1×1 convolution, the mean over all positions and a dense layer to the
    logits. Each block has an expanding 1×1 convolution, a depthwise 3×3
    convolution and a projecting 1×1 convolution without activation. At width 1
    it has 3,538,984 parameters and, for 224×224 images, 300.8 million
    multiply-adds.

    Arguments, result and errors are those of `mobilenet_v1`, except that
    `width` rounds filters to multiples of 8, and the last convolution never has
    fewer than 1280 filters.

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
    """Builds the blocks that both networks consist of."""

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
        """Applies a convolution, normalization and, by default, ReLU6."""
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
        """Computes the logits from the mean over all positions."""
        layers = self._layers
        # Not a 1×1 convolution of the mean, for which XNNPACK's sparse kernels
        # return wrong results.
        features = layers.GlobalAveragePooling2D(name="pool")(features)
        if dropout:
            features = layers.Dropout(dropout, name="dropout")(features)
        return layers.Dense(classes, name="logits")(features)

    def _pad(self, features: Any, strides: int, name: str) -> tuple[Any, str]:
        """Returns a convolution's input, padded if needed, and `padding`."""
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
