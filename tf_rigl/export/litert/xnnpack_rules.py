"""Rules by which XNNPACK runs operators sparse.

In sparse inference the activations of a region of the graph are stored channel
after channel, and its 1×1 convolutions skip their zeros. Not every operator
has a kernel for that; this is what those that have one ask for.

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

# Operators of one input that are computed for each element on its own.
_ELEMENTWISE = frozenset(
    "ABS CEIL ELU EXP FLOOR HARD_SWISH LEAKY_RELU LOGISTIC NEG RELU RELU6 "
    "RELU_N1_TO_1 ROUND RSQRT SQRT SQUARE TANH".split()
)
# Activations that XNNPACK fuses into an operator.
_FUSED = frozenset(
    {
        schema.ActivationFunctionType.NONE,
        schema.ActivationFunctionType.RELU,
        schema.ActivationFunctionType.RELU6,
        schema.ActivationFunctionType.RELU_N1_TO_1,
    }
)

Padding = tuple[int, int, int, int]  # top, bottom, left, right


class Role(enum.Enum):
    """Role of an operator in a region that is run sparse."""

    START = "start"
    INSIDE = "inside"
    END = "end"
    NONE = "none"


class Verdict(NamedTuple):
    """Role of an operator, and what keeps it from a better one."""

    role: Role
    problem: str = ""
    fix: str = ""


def refuse(problem: str, fix: str) -> Verdict:
    """Returns the verdict on an operator that has no role."""
    return Verdict(Role.NONE, problem, fix)


_FLOAT = refuse(
    "it computes in integers",
    "Export float32: XNNPACK runs nothing else sparse.",
)


def judge(
    model: Any, subgraph: Any, operator: Any, padding: Padding | None
) -> Verdict:
    """Judges which role an operator of a subgraph can have.

    `padding` is what an operator before it adds; None: there is none.
    """
    kind = format.kind(model, operator)
    name = format.kind_name(model, operator)
    source = subgraph.tensors[operator.inputs[0]]
    target = subgraph.tensors[operator.outputs[0]]

    if schema.TensorType.INT8 in (source.type, target.type):
        return _FLOAT

    options = operator.builtinOptions
    if kind == _OPERATOR.CONV_2D:
        return _convolution(subgraph, operator, options, padding)
    if kind == _OPERATOR.DEPTHWISE_CONV_2D:
        return _depthwise(subgraph, operator, options, padding)

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
    """Returns whether this is a fully connected layer."""
    return format.kind(model, operator) == _OPERATOR.FULLY_CONNECTED


def is_pointwise(model: Any, subgraph: Any, operator: Any) -> bool:
    """Returns whether this is a 1×1 convolution."""
    if format.kind(model, operator) != _OPERATOR.CONV_2D:
        return False
    kernel = format.shape(subgraph.tensors[operator.inputs[1]])
    return kernel[1:3] == (1, 1)


def zero_padding(model: Any, subgraph: Any, operator: Any) -> Padding | None:
    """Returns the zeros that a PAD adds around pictures; None for others."""
    if format.kind(model, operator) != _OPERATOR.PAD:
        return None
    tensor = subgraph.tensors[operator.inputs[1]]
    data = format.data(model, tensor)
    wide = tensor.type == schema.TensorType.INT64
    if data is None:
        return None

    amounts = data.view(np.int64 if wide else np.int32).reshape(-1, 2)
    if len(amounts) != 4 or amounts[0].any() or amounts[3].any():
        return None
    top, bottom, left, right = map(int, amounts[1:3].ravel())
    return top, bottom, left, right


def _convolution(
    subgraph: Any, operator: Any, options: Any, padding: Padding | None
) -> Verdict:
    kernel = format.shape(subgraph.tensors[operator.inputs[1]])
    _, height, width, channels = kernel
    strides = (options.strideH, options.strideW)
    general = _general(options)
    if general is not None:
        return general

    if _channels(subgraph, operator) != channels:
        return refuse(
            "it has groups",
            "Leave out `groups`, or use a depthwise convolution.",
        )

    if (height, width) == (1, 1):
        if strides != (1, 1) or (padding or (0,) * 4) != (0,) * 4:
            return refuse(
                f"a 1×1 convolution with strides {strides} or padding",
                "Stride in the depthwise convolution before it.",
            )
        return Verdict(Role.INSIDE)

    if (height, width) == (3, 3) and channels == 3 and strides == (2, 2):
        return _padded(Role.START, options, padding, 1)

    return refuse(
        f"a {height}×{width} convolution of {channels} channels with strides "
        f"{strides}",
        "Use 1×1 convolutions and depthwise ones; only the first may be 3×3, "
        "of 3 channels with stride 2.",
    )


def _depthwise(
    subgraph: Any, operator: Any, options: Any, padding: Padding | None
) -> Verdict:
    kernel = format.shape(subgraph.tensors[operator.inputs[1]])
    strides = (options.strideH, options.strideW)
    general = _general(options)
    if general is not None:
        return general

    if options.depthMultiplier > 1 or kernel[3] != _channels(
        subgraph, operator
    ):
        return refuse("it has a depth multiplier", "Leave it at 1.")

    if kernel[1:3] not in ((3, 3), (5, 5)) or strides not in ((1, 1), (2, 2)):
        return refuse(
            f"a depthwise {kernel[1]}×{kernel[2]} convolution with strides "
            f"{strides}",
            "Use 3×3 or 5×5 with stride 1 or 2.",
        )

    return _padded(Role.INSIDE, options, padding, kernel[1] // 2)


def _general(options: Any) -> Verdict | None:
    """Checks what is asked of all convolutions; None if it holds."""
    if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
        return refuse("it is dilated", "Use dilation_rate=1.")
    if options.fusedActivationFunction not in _FUSED:
        return refuse(
            "its activation is not fused",
            "Use ReLU or ReLU6, or an activation layer of its own.",
        )
    return None


def _padded(
    role: Role, options: Any, padding: Padding | None, amount: int
) -> Verdict:
    """Judges a convolution that needs the same padding on each side."""
    if options.padding == _SAME:
        # For stride 1 that is the same on each side; else it depends on the
        # size of the picture.
        given = (amount,) * 4 if options.strideH == 1 else None
    else:
        given = padding or (0,) * 4

    if given == (amount,) * 4:
        return Verdict(role)

    told = "'same'" if given is None else f"{given[:2]}, {given[2:]}"
    return refuse(
        f"its padding is {told}",
        f"Put ZeroPadding2D({amount}) before it and use padding='valid'.",
    )


def _mean(model: Any, subgraph: Any, operator: Any) -> Verdict:
    data = format.data(model, subgraph.tensors[operator.inputs[1]])
    axes = [] if data is None else sorted(data.view(np.int32).tolist())
    if axes != [1, 2] or _rank(subgraph.tensors[operator.inputs[0]]) != 4:
        return refuse(
            f"a mean over the axes {axes}",
            "Use GlobalAveragePooling2D.",
        )
    return Verdict(Role.END)


def _binary(model: Any, subgraph: Any, operator: Any, options: Any) -> Verdict:
    tensors = [subgraph.tensors[index] for index in operator.inputs]
    if options.fusedActivationFunction not in _FUSED:
        return refuse("its activation is not fused", "Use ReLU.")

    for tensor in tensors:
        constant = format.data(model, tensor) is not None
        sizes = format.shape(tensor)
        if not constant and len(sizes) != 4:
            return refuse(f"an operand of rank {len(sizes)}", "Use rank 4.")
        if constant and sum(size > 1 for size in sizes) > 1:
            return refuse(
                f"a constant operand of shape {sizes}",
                "Use a scalar or a vector.",
            )

    return Verdict(Role.INSIDE)


def _replacement(name: str) -> tuple[str, str]:
    """Returns problem and fix for an operator without a sparse kernel."""
    fix = {
        "MAX_POOL_2D": "Use a depthwise convolution with stride 2.",
        "AVERAGE_POOL_2D": "Use a depthwise convolution with stride 2.",
        "CONCATENATION": "Add instead of concatenating.",
        "FULLY_CONNECTED": "Use it behind GlobalAveragePooling2D alone.",
        "RESHAPE": "Move it behind the head.",
        "SHAPE": "Fix the batch size, with which shapes are constants.",
        "PAD": "Only zeros around the picture, right before a convolution, "
        "are fused into it.",
    }.get(name, "Leave it out, or move it before or behind the region.")
    return f"{name} has no sparse kernel", fix


def _channels(subgraph: Any, operator: Any) -> int:
    return format.shape(subgraph.tensors[operator.inputs[0]])[-1]


def _rank(tensor: Any) -> int:
    return len(format.shape(tensor))
