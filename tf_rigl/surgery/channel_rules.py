"""The table of rules by which channels pass through classes of layers."""

from collections.abc import Callable
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.surgery import channelwise
from tf_rigl.surgery import features
from tf_rigl.surgery import units
from tf_rigl.surgery.channel_plan import ChannelAnalysis

ChannelRule = Callable[[ChannelAnalysis, features.Call], features.Features]

# Layer classes of either Keras, by the keys of `masking.layer_rules.RULES`.
# Subclasses do not count, since they may compute something else. `shrink`
# keeps all channels at layers that are not in the table.
RULES: dict[str, ChannelRule] = {
    "Dense": units.dense,
    "EinsumDense": units.einsum_dense,
    "Embedding": units.embedding,
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), units.convolution),
    **dict.fromkeys(
        ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"),
        units.transposed_convolution,
    ),
    **dict.fromkeys(
        ("SeparableConv1D", "SeparableConv2D"), units.separable_convolution
    ),
    **dict.fromkeys(
        ("DepthwiseConv1D", "DepthwiseConv2D"),
        channelwise.depthwise_convolution,
    ),
    **dict.fromkeys(("SimpleRNN", "GRU", "LSTM"), units.recurrent),
    "BatchNormalization": channelwise.batch_normalization,
    "PReLU": channelwise.prelu,
    "Activation": channelwise.activation,
    **dict.fromkeys(
        ("ReLU", "LeakyReLU", "ELU", "ThresholdedReLU"), channelwise.elementwise
    ),
    **dict.fromkeys(
        (
            "Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D "
            "AlphaDropout GaussianDropout GaussianNoise ActivityRegularization"
        ).split(),
        channelwise.identity,
    ),
    **dict.fromkeys(
        (
            "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D "
            "AveragePooling2D AveragePooling3D GlobalMaxPooling1D "
            "GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D "
            "GlobalAveragePooling2D GlobalAveragePooling3D Cropping1D "
            "Cropping2D Cropping3D"
        ).split(),
        channelwise.pooling,
    ),
    **dict.fromkeys(
        ("UpSampling1D", "UpSampling2D", "UpSampling3D"),
        channelwise.up_sampling,
    ),
    **dict.fromkeys(
        ("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"),
        channelwise.zero_padding,
    ),
    "Flatten": channelwise.flatten,
    "Reshape": channelwise.reshape,
    "Permute": channelwise.permute,
    "RepeatVector": channelwise.identity,
    "InputLayer": channelwise.input_layer,
    "Concatenate": channelwise.concatenate,
    **dict.fromkeys(
        "Add Subtract Multiply Average Maximum Minimum".split(),
        channelwise.elementwise_merge,
    ),
}


# Operations of Keras 3, by class, and of Keras 2, by symbol.
OPERATIONS: dict[str, ChannelRule] = {
    **dict.fromkeys(
        ("Add", "__operators__.add", "math.add"), channelwise.addition
    ),
    **dict.fromkeys(
        (
            "Subtract Multiply Divide TrueDivide Maximum Minimum "
            "__operators__.sub __operators__.mul __operators__.truediv "
            "math.subtract math.multiply math.truediv math.divide "
            "math.maximum math.minimum"
        ).split(),
        channelwise.operation,
    ),
}


def is_operation(layer: Any) -> bool:
    """Returns whether a node calls an operation instead of a layer."""
    return not hasattr(layer, "weights") or hasattr(layer, "symbol")


def find_rule(layer: Any) -> ChannelRule | None:
    """Returns the rule of a layer or operation, None if there is none."""
    cls = flavors.plain_class(layer)
    if cls.__module__.partition(".")[0] not in flavors.PACKAGES:
        return None
    if is_operation(layer):
        return OPERATIONS.get(getattr(layer, "symbol", cls.__name__))
    return RULES.get(cls.__name__)
