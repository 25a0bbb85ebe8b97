"""XNNPACK's conditions for operators in sparse inference.

In sparse inference, the activations of a region of the graph are stored channel
by channel (NCHW), and 1×1 convolutions in it skip zeros of their weights. Only
some operators have kernels for this order, and these have conditions. `judge`
checks the conditions of one operator; `xnnpack` finds the region.

Reference: `xnn_check_nchw_compatibility` in src/subgraph.c of
github.com/google/XNNPACK; "Sparse Inference" in
tensorflow/lite/delegates/xnnpack/README.md of
github.com/tensorflow/tensorflow.
"""

import enum
from typing import Any
from typing import NamedTuple

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

from tf_rigl.export.litert import format

_OPERATOR = schema.BuiltinOperator
_SAME = schema.Padding.SAME

# Operators of one input that compute each element by itself.
_ELEMENTWISE = frozenset(
    "ABS CEIL ELU EXP FLOOR HARD_SWISH LEAKY_RELU LOGISTIC NEG RELU RELU6 "
    "RELU_N1_TO_1 ROUND RSQRT SQRT SQUARE TANH".split()
)
# Activation functions that XNNPACK can fuse into an operator.
_FUSED = frozenset(
    {
        schema.ActivationFunctionType.NONE,
        schema.ActivationFunctionType.RELU,
        schema.ActivationFunctionType.RELU6,
        schema.ActivationFunctionType.RELU_N1_TO_1,
    }
)

# What to begin a region with.
BEGIN = (
    "Begin with ZeroPadding2D(1) and Conv2D(filters, 3, strides=2) on images "
    "of 3 channels."
)
_STRIDE = "Use ZeroPadding2D(1) and DepthwiseConv2D(3, strides=2) instead."
_UNDILATED = "Use dilation_rate=1."
_ACTIVATE = "Use 'relu', 'relu6' or 'hard_swish'."
# What to use in place of operators without a sparse kernel.
_REPLACEMENTS = {
    "MAX_POOL_2D": _STRIDE,
    "AVERAGE_POOL_2D": _STRIDE,
    "REDUCE_MAX": "Use GlobalAveragePooling2D instead.",
    "CONCATENATION": "Use Add instead, of outputs of as many channels.",
    "FULLY_CONNECTED": "Use Conv2D(units, 1) instead, or put "
    "GlobalAveragePooling2D before it.",
    "SPACE_TO_BATCH_ND": _UNDILATED,
    "BATCH_TO_SPACE_ND": _UNDILATED,
    "GELU": _ACTIVATE,
    "PRELU": _ACTIVATE,
    "RESHAPE": "Use GlobalAveragePooling2D in place of Flatten; move what "
    "else reshapes behind it.",
    "SHAPE": "Pass batch_size=1, to `export_litert` too: shapes are constants "
    "then.",
    "TRANSPOSE_CONV": "Use UpSampling2D(interpolation='bilinear') and "
    "Conv2D(filters, 1) instead.",
    "PAD": "Put ZeroPadding2D right before a convolution that has "
    "padding='valid'.",
}

# Rows and columns of zeros at the top, bottom, left and right of a picture.
Padding = tuple[int, int, int, int]


class Role(enum.Enum):
    """Roles of an operator in a region that is run sparse."""

    START = "start"
    INSIDE = "inside"
    END = "end"
    NONE = "none"


class Verdict(NamedTuple):
    """The role that an operator can have, or the reason why it has none."""

    role: Role
    problem: str = ""  # the condition that the operator does not meet
    fix: str = ""  # what to change in the model


def refuse(problem: str, fix: str) -> Verdict:
    """Returns the verdict for an operator that cannot be part of a region."""
    return Verdict(Role.NONE, problem, fix)


_FLOAT = refuse(
    "it computes in integers",
    "Export with quantization='float32' or 'float16': XNNPACK runs nothing "
    "else sparse.",
)


def separable(size: int, stride: int) -> str:
    """Returns what to use in place of a convolution of several channels."""
    size = 3 if size <= 3 else 5
    if stride == 1:
        depthwise = f"DepthwiseConv2D({size}, padding='same')"
    else:
        depthwise = (
            f"ZeroPadding2D({size // 2}), DepthwiseConv2D({size}, strides=2)"
        )
    return f"Use {depthwise} and Conv2D(filters, 1) instead."


def judge(
    model: Any,
    subgraph: Any,
    operator: Any,
    padding: Padding | None,
    is_first: bool = False,
) -> Verdict:
    """Finds the role that an operator can have in a region.

    Args:
        model: the `ModelT`.
        subgraph: the subgraph of the operator.
        operator: the operator.
        padding: the padding that a PAD before it adds; None without a PAD.
        is_first: whether it comes before all other convolutions, which matters
            to what is said about it only.
    """
    kind = format.kind(model, operator)
    name = format.kind_name(model, operator)
    source = subgraph.tensors[operator.inputs[0]]
    target = subgraph.tensors[operator.outputs[0]]

    if schema.TensorType.INT8 in (source.type, target.type):
        return _FLOAT
    if "/Tensordot/" in format.name(target):
        # Keras makes several operators of it.
        return refuse(
            "a Dense layer of feature maps has no sparse kernel",
            _REPLACEMENTS["FULLY_CONNECTED"],
        )

    # Convolutions.
    options = operator.builtinOptions
    if kind == _OPERATOR.CONV_2D:
        return _convolution(subgraph, operator, options, padding, is_first)
    if kind == _OPERATOR.DEPTHWISE_CONV_2D:
        return _depthwise(subgraph, operator, options, padding)

    # All other operators that have kernels.
    if kind == _OPERATOR.MEAN:
        return _mean(model, subgraph, operator)
    if kind == _OPERATOR.DEPTH_TO_SPACE:
        return Verdict(Role.END)
    if kind in (_OPERATOR.ADD, _OPERATOR.MUL):
        return _binary(model, subgraph, operator, options)
    if name in _ELEMENTWISE and _rank(source) == 4:
        return Verdict(Role.INSIDE)
    if kind == _OPERATOR.RESIZE_BILINEAR:
        if min(format.shape(target)[1:3]) > 1:
            return Verdict(Role.INSIDE)
        return refuse("it resizes to one row or column", "Drop it.")

    return refuse(*_replacement(name))


def is_dense(model: Any, operator: Any) -> bool:
    """Returns whether an operator is a fully connected layer."""
    return format.kind(model, operator) == _OPERATOR.FULLY_CONNECTED


def is_pointwise(model: Any, subgraph: Any, operator: Any) -> bool:
    """Returns whether an operator is a 1×1 convolution."""
    if format.kind(model, operator) != _OPERATOR.CONV_2D:
        return False
    kernel = format.shape(subgraph.tensors[operator.inputs[1]])
    return kernel[1:3] == (1, 1)


def zero_padding(model: Any, subgraph: Any, operator: Any) -> Padding | None:
    """Returns the zeros that a PAD adds around pictures.

    None for any other operator, or if the amounts are not constant or if it
    pads the batch or the channels.
    """
    if format.kind(model, operator) != _OPERATOR.PAD:
        return None
    tensor = subgraph.tensors[operator.inputs[1]]
    data = format.data(model, tensor)
    if data is None:
        return None

    is_int64 = tensor.type == schema.TensorType.INT64
    amounts = data.view(np.int64 if is_int64 else np.int32).reshape(-1, 2)
    if len(amounts) != 4 or amounts[0].any() or amounts[3].any():
        return None
    top, bottom, left, right = map(int, amounts[1:3].ravel())
    return top, bottom, left, right


def _convolution(
    subgraph: Any,
    operator: Any,
    options: Any,
    padding: Padding | None,
    is_first: bool,
) -> Verdict:
    """Judges a convolution: 1×1 inside of a region, 3×3 at its start."""
    kernel = format.shape(subgraph.tensors[operator.inputs[1]])
    _, height, width, channels = kernel
    strides = (options.strideH, options.strideW)
    refused = _refuse_options(options)
    if refused is not None:
        return refused

    if _input_channels(subgraph, operator) != channels:
        return refuse(
            "it has groups",
            "Leave out `groups`, or use DepthwiseConv2D.",
        )

    if (height, width) == (1, 1):
        if strides != (1, 1) or (padding or (0,) * 4) != (0,) * 4:
            return refuse(
                f"a 1×1 convolution with strides {strides} or padding",
                "Leave them out, and put ZeroPadding2D(1) and "
                "DepthwiseConv2D(3, strides=2) before it.",
            )
        return Verdict(Role.INSIDE)

    if (height, width) == (3, 3) and channels == 3 and strides == (2, 2):
        return _padded(Role.START, options, padding, 1)

    return refuse(
        f"a {height}×{width} convolution of {channels} channels with strides "
        f"{strides}",
        BEGIN if is_first else separable(max(height, width), max(strides)),
    )


def _depthwise(
    subgraph: Any, operator: Any, options: Any, padding: Padding | None
) -> Verdict:
    """Judges a depthwise convolution: 3×3 or 5×5, padded on each side."""
    kernel = format.shape(subgraph.tensors[operator.inputs[1]])
    strides = (options.strideH, options.strideW)
    refused = _refuse_options(options)
    if refused is not None:
        return refused

    channels = _input_channels(subgraph, operator)
    if options.depthMultiplier > 1 or kernel[3] != channels:
        return refuse("it has a depth multiplier", "Use depth_multiplier=1.")

    if kernel[1:3] not in ((3, 3), (5, 5)) or strides not in ((1, 1), (2, 2)):
        return refuse(
            f"a depthwise {kernel[1]}×{kernel[2]} convolution with strides "
            f"{strides}",
            "Use DepthwiseConv2D(3) or DepthwiseConv2D(5) with strides 1 or 2.",
        )

    return _padded(Role.INSIDE, options, padding, kernel[1] // 2)


def _refuse_options(options: Any) -> Verdict | None:
    """Returns a verdict if no convolution may have these options, else None."""
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        return refuse("it is dilated", _UNDILATED)
    if options.fusedActivationFunction not in _FUSED:
        return refuse(
            "its activation is not fused",
            "Use ReLU or ReLU6, or an activation layer of its own.",
        )
    return None


def _padded(
    role: Role, options: Any, padding: Padding | None, amount: int
) -> Verdict:
    """Gives a convolution its role if it has `amount` zeros on each side."""
    if options.padding == _SAME:
        # With stride 1, this adds the same amount on each side. Otherwise the
        # amounts depend on the size of the picture.
        given = (amount,) * 4 if options.strideH == 1 else None
    else:
        given = padding or (0,) * 4

    if given == (amount,) * 4:
        return Verdict(role)

    description = "'same'" if given is None else f"{given[:2]}, {given[2:]}"
    return refuse(
        f"its padding is {description}",
        f"Put ZeroPadding2D({amount}) and no other padding before it and use "
        "padding='valid'.",
    )


def _mean(model: Any, subgraph: Any, operator: Any) -> Verdict:
    """Judges a mean, which must be over height and width."""
    data = format.data(model, subgraph.tensors[operator.inputs[1]])
    axes = [] if data is None else sorted(data.view(np.int32).tolist())
    if axes != [1, 2] or _rank(subgraph.tensors[operator.inputs[0]]) != 4:
        return refuse(
            f"a mean over the axes {axes}",
            "Use GlobalAveragePooling2D to average, and BatchNormalization to "
            "normalize.",
        )
    return Verdict(Role.END)


def _binary(model: Any, subgraph: Any, operator: Any, options: Any) -> Verdict:
    """Judges an addition or multiplication of pictures and constants."""
    tensors = [subgraph.tensors[index] for index in operator.inputs]
    if options.fusedActivationFunction not in _FUSED:
        return refuse("its activation is not fused", "Use ReLU.")

    for tensor in tensors:
        constant = format.data(model, tensor) is not None
        sizes = format.shape(tensor)
        if not constant and len(sizes) != 4:
            return refuse(
                f"an operand of rank {len(sizes)}",
                "Add and multiply outputs of convolutions only.",
            )
        if constant and sum(size > 1 for size in sizes) > 1:
            return refuse(
                f"a constant operand of shape {sizes}",
                "Use a scalar or a vector of the channels.",
            )

    return Verdict(Role.INSIDE)


def _replacement(name: str) -> tuple[str, str]:
    """Returns the problem and the fix for an operator without a kernel."""
    fix = _REPLACEMENTS.get(
        name,
        "Leave it out, or move it before the first convolution or behind "
        "GlobalAveragePooling2D.",
    )
    return f"{name} has no sparse kernel", fix


def _input_channels(subgraph: Any, operator: Any) -> int:
    return format.shape(subgraph.tensors[operator.inputs[0]])[-1]


def _rank(tensor: Any) -> int:
    return len(format.shape(tensor))
