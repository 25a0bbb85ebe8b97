"""The table of rules by which channels pass through classes of layers."""

from collections.abc import Callable
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.surgery import channelwise
from tf_rigl.surgery import features
from tf_rigl.surgery import merging
from tf_rigl.surgery import operations
from tf_rigl.surgery import units
from tf_rigl.surgery.channel_plan import ChannelAnalysis

# A function of several outputs has a list of their features.
ChannelRule = Callable[
    [ChannelAnalysis, features.Call],
    features.Features | list[features.Features],
]

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
        "ReLU LeakyReLU ELU ThresholdedReLU Rescaling".split(),
        channelwise.elementwise,
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
    "Concatenate": merging.concatenate,
    **dict.fromkeys(
        "Add Subtract Average Maximum Minimum".split(),
        merging.elementwise_merge,
    ),
    "Multiply": merging.product_merge,
}


# Functions that treat each feature by itself, by their names in TensorFlow.
_ELEMENTWISE = (
    "__operators__.add __operators__.sub __operators__.truediv abs add "
    "clip_by_value cast divide elu erf exp expm1 floor gelu identity "
    "leaky_relu log log1p maximum minimum negative pow reciprocal relu relu6 "
    "round rsqrt selu sigmoid sign silu softplus softsign sqrt square "
    "stop_gradient subtract swish tanh truediv"
).split()

# Operations of Keras 3, by class, and of Keras 2, by symbol.
OPERATIONS: dict[str, ChannelRule] = {
    **dict.fromkeys(
        (
            "Abs Absolute Add Cast Celu Clip Copy Divide Elu Erf Exp Expm1 "
            "Floor Gelu HardShrink HardSigmoid HardSilu HardTanh LeakyRelu "
            "Log Log1p LogSigmoid Maximum Minimum Mish Negative Power ReLU "
            "Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sign Silu "
            "SoftShrink Softplus Softsign SparsePlus SparseSigmoid Sqrt Square "
            "Squareplus StopGradient Subtract Tanh TanhShrink Threshold "
            "TrueDivide"
        ).split(),
        merging.operation,
    ),
    # TensorFlow has most of them in one of three modules.
    **{
        module + name: merging.operation
        for name in _ELEMENTWISE
        for module in ("", "math.", "nn.")
    },
    **dict.fromkeys(
        ("Multiply", "__operators__.mul", "math.multiply"), merging.product
    ),
    "Concatenate": merging.concatenate,
    "concat": operations.concatenation,
    **dict.fromkeys(
        (
            "Mean Max Min Amax Amin math.reduce_mean math.reduce_max "
            "math.reduce_min"
        ).split(),
        operations.reduction,
    ),
    **dict.fromkeys(("Sum", "math.reduce_sum"), operations.summation),
    **dict.fromkeys(("Softmax", "nn.softmax"), operations.softmax),
    **dict.fromkeys(("ExpandDims", "expand_dims"), operations.expansion),
    **dict.fromkeys(("Squeeze", "compat.v1.squeeze"), operations.squeezing),
    **dict.fromkeys(
        ("Transpose", "compat.v1.transpose"), operations.transposition
    ),
    **dict.fromkeys(("Reshape", "reshape"), operations.reshaping),
    **dict.fromkeys(("Split", "split"), operations.split),
    **dict.fromkeys(("GetItem", "__operators__.getitem"), operations.slicing),
    **dict.fromkeys(("Pad", "compat.v1.pad"), operations.padding),
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
