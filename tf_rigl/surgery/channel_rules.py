"""The table of rules by which channels pass through classes of layers."""

from collections.abc import Callable
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.surgery import attention
from tf_rigl.surgery import channelwise
from tf_rigl.surgery import features
from tf_rigl.surgery import grouped
from tf_rigl.surgery import merging
from tf_rigl.surgery import normalization
from tf_rigl.surgery import operations
from tf_rigl.surgery import preprocessing
from tf_rigl.surgery import units
from tf_rigl.surgery import wrappers
from tf_rigl.surgery.channel_plan import ChannelAnalysis

# A function of several outputs has a list of their features.
ChannelRule = Callable[
    [ChannelAnalysis, features.Call],
    features.Features | list[features.Features],
]


def _time_distributed(
    plans: ChannelAnalysis, call: features.Call
) -> features.Features:
    return wrappers.time_distributed(plans, call, find_rule)


def _spectral_normalization(
    plans: ChannelAnalysis, call: features.Call
) -> features.Features:
    return wrappers.spectral_normalization(plans, call, find_rule)


# Layers of images that treat all channels alike, in training, too.
_IMAGES = (
    "CenterCrop RandomBrightness RandomContrast RandomCrop "
    "RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur "
    "RandomHeight RandomPerspective RandomRotation RandomShear "
    "RandomTranslation RandomWidth RandomZoom Resizing"
).split()

# Layer classes of either Keras, by the keys of `masking.layer_rules.RULES`.
# Subclasses do not count, since they may compute something else. `shrink`
# keeps all channels at layers that are not in the table.
RULES: dict[str, ChannelRule] = {
    "Dense": units.dense,
    "EinsumDense": units.einsum_dense,
    "Embedding": units.embedding,
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), grouped.convolution),
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
    "Bidirectional": wrappers.bidirectional,
    "TimeDistributed": _time_distributed,
    "SpectralNormalization": _spectral_normalization,
    **dict.fromkeys(
        ("MultiHeadAttention", "GroupedQueryAttention"),
        attention.multi_head_attention,
    ),
    "BatchNormalization": channelwise.batch_normalization,
    "PReLU": channelwise.prelu,
    "Activation": channelwise.activation,
    **dict.fromkeys(
        "ReLU LeakyReLU ELU ThresholdedReLU".split(), channelwise.elementwise
    ),
    **dict.fromkeys(
        ("GlobalMaxPooling1D", "GlobalAveragePooling1D"),
        operations.pooling_of_channels,
    ),
    "Softmax": operations.softmax,
    **dict.fromkeys(
        "LayerNormalization RMSNormalization UnitNormalization".split(),
        normalization.over_features,
    ),
    "GroupNormalization": normalization.group_normalization,
    # Those of `keras.applications`.
    "LayerScale": normalization.layer_scale,
    "StochasticDepth": channelwise.identity,
    "CustomScaleLayer": merging.elementwise_merge,
    "Normalization": preprocessing.normalization,
    "Rescaling": preprocessing.rescaling,
    **dict.fromkeys(_IMAGES, preprocessing.image),
    "Identity": channelwise.identity,
    **dict.fromkeys(
        (
            "Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D "
            "AlphaDropout GaussianDropout GaussianNoise ActivityRegularization"
        ).split(),
        channelwise.identity,
    ),
    **dict.fromkeys(
        (
            "AdaptiveAveragePooling1D AdaptiveAveragePooling2D "
            "AdaptiveAveragePooling3D AdaptiveMaxPooling1D "
            "AdaptiveMaxPooling2D AdaptiveMaxPooling3D "
            "MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D "
            "AveragePooling2D AveragePooling3D "
            "GlobalMaxPooling2D GlobalMaxPooling3D "
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

# Arguments besides tensors with which a layer may be called.
OPTIONS: dict[str, tuple[str, ...]] = {
    # Keras 3 adds `training=True` by itself.
    **dict.fromkeys(_IMAGES, ("training",)),
    **dict.fromkeys(
        ("MultiHeadAttention", "GroupedQueryAttention"), ("use_causal_mask",)
    ),
}

# Layers that leave time steps out which a mask names; constants stay.
_TAKE_MASK = (
    "Bidirectional BatchNormalization GRU GlobalAveragePooling1D LSTM "
    "SimpleRNN TimeDistributed"
).split()

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
    **dict.fromkeys(("Take", "compat.v1.gather"), operations.gathering),
    **dict.fromkeys(("Pad", "compat.v1.pad"), operations.padding),
}


# Classes of users that act like one of `RULES`, by the key of that row.
_registered: dict[type, str] = {}


def channel_rule(cls: type | None = None, *, like: str | type) -> Any:
    """Lets `shrink` follow channels through a layer class of your own.

    By default all channels stay at a layer that is not one of Keras's own
    classes, a subclass of them, too, since it may compute something else. This
    says that it treats channels as another class does. It must have weights of
    the same names and axes, the same attributes and, in its configuration, the
    same sizes. If it has not, its channels stay, and the report says why.

    Args:
        cls: a layer class of either Keras. Its subclasses do not count. Left
            out, the result is a decorator of the class.
        like: the class that it acts like, such as "Dense", "Conv2D",
            "BatchNormalization", "ReLU", "Dropout" or "GlobalAveragePooling2D":
            a layer class of Keras that `shrink` follows, by its name or itself,
            or a class that has a rule by this function.

    Returns:
        `cls`, or a decorator if it is left out.

    Raises:
        TypeError: if `cls` is not a layer class.
        ValueError: if `shrink` does not follow `like`.

    Example:
        >>> @tf_rigl.channel_rule(like="Dense")
        ... class ScaledDense(keras.layers.Dense):
        ...     def call(self, inputs):
        ...         return 2 * super().call(inputs)
    """
    if cls is None:
        return lambda decorated: channel_rule(decorated, like=like)

    flavor = flavors.find_class_flavor(cls) if isinstance(cls, type) else None
    if flavor is None or not issubclass(cls, flavor.keras.layers.Layer):
        raise TypeError(
            "`cls` must be a layer class of `keras` or `tf_keras`. "
            f"Received: cls={cls!r}."
        )

    name = _registered.get(like) if isinstance(like, type) else like
    if isinstance(like, type) and name is None and flavors.is_of_keras(like):
        name = like.__name__
    if name not in RULES:
        known = ", ".join(sorted(RULES))
        raise ValueError(
            "`like` must be a layer class whose channels `shrink` follows. "
            f"Received: like={like!r}. Use one of {known}."
        )
    _registered[cls] = name
    return cls


def is_operation(layer: Any) -> bool:
    """Returns whether a node calls an operation instead of a layer."""
    return not hasattr(layer, "weights") or hasattr(layer, "symbol")


def find_rule(layer: Any) -> ChannelRule | None:
    """Returns the rule of a layer or operation, None if there is none."""
    cls = flavors.plain_class(layer)
    return _like(_registered[cls]) if cls in _registered else row_of(layer)


def row_of(layer: Any) -> ChannelRule | None:
    """Returns the rule of the tables that a layer has, or acts like."""
    cls = flavors.plain_class(layer)
    if (
        cls not in _registered
        and is_operation(layer)
        and flavors.is_of_keras(cls)
    ):
        return OPERATIONS.get(getattr(layer, "symbol", cls.__name__))
    return RULES.get(_name_of(layer))


def options_of(layer: Any) -> tuple[str, ...]:
    """Returns the arguments with which a layer may be called."""
    return OPTIONS.get(_name_of(layer), ())


def takes_mask(layer: Any) -> bool:
    """Returns whether a layer may be called with a mask of time steps."""
    return _name_of(layer) in _TAKE_MASK


def _name_of(layer: Any) -> str:
    """Returns the row of a layer's class in `RULES`, "" if it has none."""
    cls = flavors.plain_class(layer)
    return _registered.get(
        cls, cls.__name__ if flavors.is_of_keras(cls) else ""
    )


def _like(name: str) -> ChannelRule:
    """Returns the rule of a row for a user's class, which may not fit it."""

    def rule(plans: ChannelAnalysis, call: features.Call) -> Any:
        try:
            result = RULES[name](plans, call)
            plan = plans.of.get(id(call.layer))
            if plan is not None:
                # Fails now, if the configuration lacks the sizes.
                plan.resize(dict(call.layer.get_config()), len)
        except (AttributeError, KeyError) as error:
            plan = plans.of.pop(id(call.layer), None)
            if plan is not None:
                for channels in (plan.inputs, plan.outputs, plan.inner):
                    plans.keep(channels, f"read by {call.path}")
            raise features.Untrackable(
                f"it is not like {name}: {error}"
            ) from error
        return result

    return rule
