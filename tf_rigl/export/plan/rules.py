"""The table of rules by which layers become steps of plans."""

import dataclasses
from collections.abc import Callable
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.export.plan import attention
from tf_rigl.export.plan import elementwise
from tf_rigl.export.plan import functions
from tf_rigl.export.plan import kernels
from tf_rigl.export.plan import masks
from tf_rigl.export.plan import recurrent
from tf_rigl.export.plan import sequences
from tf_rigl.export.plan.calls import Call
from tf_rigl.export.plan.calls import Unsupported
from tf_rigl.surgery.channel_rules import is_operation

# Returns the number of the value that the layer makes; of several, a tuple.
Rule = Callable[[Call], int | tuple[int, ...]]


def _time_distributed(call: Call) -> int | tuple[int, ...]:
    """Reads TimeDistributed of layers that treat each position alike."""
    inner = call.layer.layer
    name = flavors.plain_class(inner).__name__
    if name not in _OF_POSITIONS or find_rule(inner) is None:
        raise Unsupported(
            f"it distributes {name}",
            "Plans have TimeDistributed of " + ", ".join(_OF_POSITIONS) + ".",
        )
    return RULES[name](dataclasses.replace(call, layer=inner))


# Layers whose outputs at a position are of its own inputs alone.
_OF_POSITIONS = (
    "Activation",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "LeakyReLU",
    "ReLU",
)

# Layers of images that do nothing at inference.
_AUGMENTATION = (
    "RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast "
    "RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur "
    "RandomGrayscale RandomHue RandomInvert RandomPerspective "
    "RandomPosterization RandomRotation RandomSaturation RandomSharpness "
    "RandomShear RandomTranslation RandomZoom"
).split()

# Layer classes of either Keras. Subclasses do not count, since they may compute
# something else; `walk` calls them on symbolic tensors to see what they do.
RULES: dict[str, Rule] = {
    "Dense": kernels.dense,
    **dict.fromkeys(("Conv1D", "Conv2D"), kernels.convolution),
    **dict.fromkeys(
        ("DepthwiseConv1D", "DepthwiseConv2D"), kernels.depthwise_convolution
    ),
    **dict.fromkeys(
        ("SeparableConv1D", "SeparableConv2D"), kernels.separable_convolution
    ),
    **dict.fromkeys(
        "MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D".split(),
        kernels.pooling,
    ),
    **dict.fromkeys(
        (
            "GlobalMaxPooling1D GlobalMaxPooling2D GlobalAveragePooling1D "
            "GlobalAveragePooling2D"
        ).split(),
        kernels.global_pooling,
    ),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D"), kernels.zero_padding),
    **dict.fromkeys(("Cropping1D", "Cropping2D"), kernels.cropping),
    "TimeDistributed": _time_distributed,
    **dict.fromkeys(recurrent.LAYERS, recurrent.recurrent),
    "Bidirectional": recurrent.bidirectional,
    "BatchNormalization": elementwise.batch_normalization,
    "Normalization": elementwise.normalization,
    "Rescaling": elementwise.rescaling,
    "Activation": elementwise.activation,
    "Softmax": elementwise.softmax,
    **dict.fromkeys("ReLU LeakyReLU ELU".split(), elementwise.function),
    "Add": elementwise.addition,
    "Multiply": elementwise.multiplication,
    "Subtract": elementwise.subtraction,
    "Average": elementwise.average,
    "Concatenate": sequences.concatenation,
    "LayerNormalization": sequences.layer_normalization,
    "RMSNormalization": sequences.rms_normalization,
    "Permute": sequences.transposition,
    "Embedding": sequences.embedding,
    "EinsumDense": attention.einsum_dense,
    "MultiHeadAttention": attention.multi_head_attention,
    "GroupedQueryAttention": attention.grouped_query_attention,
    "CustomScaleLayer": elementwise.scaled_sum,
    **dict.fromkeys(("Flatten", "Reshape"), functions.reshape),
    **dict.fromkeys(
        (
            "ActivityRegularization AlphaDropout Dropout GaussianDropout "
            "GaussianNoise Identity InputLayer SpatialDropout1D "
            "SpatialDropout2D StochasticDepth"
        ).split(),
        elementwise.identity,
    ),
    **dict.fromkeys(_AUGMENTATION, elementwise.identity),
}

# Functions that may be activations, by their names in TensorFlow.
_ACTIVATIONS = (
    "clip_by_value elu gelu leaky_relu maximum minimum relu relu6 sigmoid silu "
    "swish tanh"
).split()

# Operations of Keras 3, by class, and of Keras 2, by symbol.
OPERATIONS: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "Clip Elu Gelu HardSigmoid HardSilu HardSwish HardTanh LeakyRelu "
            "Maximum Minimum ReLU Relu Relu6 Sigmoid Silu Tanh"
        ).split(),
        elementwise.function,
    ),
    **{
        module + name: elementwise.function
        for name in _ACTIVATIONS
        for module in ("", "math.", "nn.")
    },
    **dict.fromkeys(("Softmax", "nn.softmax"), elementwise.softmax),
    **dict.fromkeys(
        ("Add", "__operators__.add", "math.add", "nn.bias_add"),
        elementwise.sum_of,
    ),
    **dict.fromkeys(
        ("Subtract", "__operators__.sub", "math.subtract"),
        elementwise.difference_of,
    ),
    **dict.fromkeys(
        ("Multiply", "__operators__.mul", "math.multiply"),
        elementwise.product_of,
    ),
    **dict.fromkeys(
        (
            "Divide TrueDivide __operators__.truediv math.divide math.truediv"
        ).split(),
        elementwise.quotient_of,
    ),
    **dict.fromkeys(
        ("Negative", "__operators__.neg", "math.negative"),
        elementwise.negative,
    ),
    **dict.fromkeys(
        ("StopGradient", "stop_gradient", "identity", "Copy"),
        elementwise.identity,
    ),
    **dict.fromkeys(("Concatenate", "concat"), sequences.concatenation),
    **dict.fromkeys(
        "Transpose Swapaxes Moveaxis transpose compat.v1.transpose".split(),
        sequences.transposition,
    ),
    **dict.fromkeys(
        "ExtractPatches image.extract_patches".split(), kernels.patches
    ),
    "NotEqual": masks.comparison,
    "DotProductAttention": attention.dot_product_attention,
    **dict.fromkeys(("Mean", "math.reduce_mean"), functions.mean),
    **dict.fromkeys(("Max", "Amax", "math.reduce_max"), functions.largest),
    **dict.fromkeys(
        (
            "ExpandDims Reshape Squeeze compat.v1.squeeze expand_dims reshape"
        ).split(),
        functions.reshape,
    ),
    **dict.fromkeys(("Pad", "compat.v1.pad"), functions.padding),
    **dict.fromkeys(
        ("Matmul", "__operators__.matmul", "linalg.matmul"),
        attention.matrix_product,
    ),
    **dict.fromkeys(
        "Take compat.v1.gather GetItem __operators__.getitem".split(),
        sequences.selection,
    ),
}


# Arguments besides tensors that rules know.
OPTIONS: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("MultiHeadAttention", "GroupedQueryAttention"),
    ("attention_mask", "return_attention_scores", "use_causal_mask"),
)


def find_rule(layer: Any) -> Rule | None:
    """Returns the rule of a layer or operation, None if there is none."""
    cls = flavors.plain_class(layer)
    if not flavors.is_of_keras(cls):
        return None
    if is_operation(layer):
        return OPERATIONS.get(getattr(layer, "symbol", cls.__name__))
    return RULES.get(cls.__name__)
