"""Layers of networks that normalize before each convolution."""

from types import ModuleType
from typing import Any

from tf_rigl.models.initial_values import InitialValues


def activate(
    keras: ModuleType, features: Any, initial: InitialValues, name: str
) -> Any:
    """Adds a normalization and ReLU."""
    features = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=initial.scales, name=name
    )(features)
    return keras.layers.ReLU()(features)


def convolve(
    keras: ModuleType,
    features: Any,
    filters: int,
    kernel_size: int,
    strides: int,
    initial: InitialValues,
    name: str,
) -> Any:
    """Adds a convolution without a bias, padded equally on both sides."""
    if strides > 1 and kernel_size > 1:
        # "same" would pad images of even size on one side only.
        features = keras.layers.ZeroPadding2D(kernel_size // 2)(features)
    return keras.layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding="same" if strides == 1 else "valid",
        use_bias=False,
        kernel_initializer=initial.kernels or "glorot_uniform",
        name=name,
    )(features)
