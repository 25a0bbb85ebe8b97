"""Kernels as matrices, one layout for each form of a factorization.

The rows of a matrix are what a kernel reads, its columns what it makes. The
first factor [rows, rank] is the kernel of a layer with as many outputs as the
rank, the last one [rank, columns] that of a layer that reads them.
"""

import math
import string
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.masking import layer_rules

# The forms of the factors of a convolution.
SPATIAL, CHANNELS = "spatial", "channels"
# That of all other kernels, which have only one.
MATRIX = "matrix"
FORMS = ("auto", SPATIAL, CHANNELS)


class Layout(NamedTuple):
    """The axes of a kernel that are rows and those that are columns."""

    row_axes: tuple[int, ...]
    column_axes: tuple[int, ...]

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Returns the numbers of rows and columns for a kernel's shape."""
        rows = math.prod(shape[axis] for axis in self.row_axes)
        return rows, math.prod(shape[axis] for axis in self.column_axes)

    def matrix(self, kernel: np.ndarray) -> np.ndarray:
        """Returns a kernel as its matrix [rows, columns]."""
        order = (*self.row_axes, *self.column_axes)
        return np.transpose(kernel, order).reshape(self.sizes(kernel.shape))

    def kernel(self, matrix: Any, shape: tuple[int, ...], of: Any = np) -> Any:
        """Inverts `matrix` for a kernel of the given shape.

        Args:
            matrix: [rows, columns].
            shape: the shape of the kernel.
            of: the module that has `reshape` and `transpose`, NumPy or
                TensorFlow.
        """
        order = (*self.row_axes, *self.column_axes)
        whole = of.reshape(matrix, [shape[axis] for axis in order])
        return of.transpose(whole, np.argsort(order))


# Spatial: a kernel over the last axis of space, then one over the others
# (Khodak et al. and, before, Jaderberg et al. 2014). Channels: the whole
# kernel to fewer channels, then a 1×1 one.
_CONVOLUTIONS: dict[tuple[int, str], Layout] = {
    (1, SPATIAL): Layout((1,), (0, 2)),
    (1, CHANNELS): Layout((0, 1), (2,)),
    (2, SPATIAL): Layout((1, 2), (0, 3)),
    (2, CHANNELS): Layout((0, 1, 2), (3,)),
}
_MATRIX = Layout((0,), (1,))


def kind_of(layer: Any) -> str | None:
    """Returns the class of Keras whose factors a layer has, None without.

    The nearest known class counts: tf_keras derives others of these.
    """
    kind = layer_rules.known_class(layer, layer_rules.RULES)
    return kind if kind in KINDS else None


def of_kernel(layer: Any, form: str, rank: int) -> Layout:
    """Returns the layout of a layer's kernel.

    Args:
        layer: a layer of `kinds`.
        form: the form of its factors, one of those of `forms`.
        rank: the number of the kernel's axes.
    """
    if form != MATRIX:
        return _CONVOLUTIONS[rank - 2, form]
    if kind_of(layer) == "EinsumDense":
        found = layer_rules.summed_axes(layer, rank)
        return Layout(tuple(found.inputs), tuple(found.units))
    return _MATRIX


def form_of(layer: Any, form: str) -> str:
    """Returns the form of a layer's factors that an argument asks for.

    `"auto"` is the published one for convolutions in two dimensions of space:
    it is spatial. A kernel of size 1 in one of them, or with one dimension,
    leaves nothing to split: there it is that of channels.
    """
    if kind_of(layer) not in ("Conv1D", "Conv2D"):
        return MATRIX
    if form != "auto":
        return form
    size = tuple(layer.kernel_size)
    return SPATIAL if len(size) == 2 and min(size) > 1 else CHANNELS


def is_cell(layer: Any) -> bool:
    """Returns whether a layer is a cell that an RNN layer runs."""
    return str(kind_of(layer)).endswith("Cell")


def convolution_kernels(
    factors: Sequence[tf.Tensor], layout: Layout, shape: tuple[int, ...]
) -> list[tf.Tensor]:
    """Returns the kernels of the thin convolutions that factors are.

    Args:
        factors: the matrices.
        layout: the layout of the kernel.
        shape: its shape.
    """
    *size, channels, filters = shape
    space = range(len(size))
    rank = factors[0].shape[-1]
    read = [axis for axis in space if axis in layout.row_axes]
    made = [axis for axis in space if axis not in read]

    first = [size[axis] if axis in read else 1 for axis in space]
    ones = [1] * len(size)
    last = tf.reshape(factors[-1], [rank, *(size[a] for a in made), filters])
    last = tf.transpose(last, [*range(1, len(made) + 1), 0, len(made) + 1])
    window = [size[axis] if axis in made else 1 for axis in space]
    return [
        tf.reshape(factors[0], [*first, channels, rank]),
        *(tf.reshape(one, [*ones, rank, rank]) for one in factors[1:-1]),
        tf.reshape(last, [*window, rank, filters]),
    ]


def einsum_kernels(
    factors: Sequence[tf.Tensor], layout: Layout, shape: tuple[int, ...]
) -> list[tf.Tensor]:
    """Returns the kernels of `equations`; arguments as above."""
    rows = [shape[axis] for axis in layout.row_axes]
    columns = [shape[axis] for axis in layout.column_axes]
    return [
        tf.reshape(factors[0], [*rows, -1]),
        *factors[1:-1],
        tf.reshape(factors[-1], [-1, *columns]),
    ]


def equations(equation: str, number: int) -> list[str]:
    """Returns the equations that factors stand for, in their order.

    The axis of the rank is behind those that are not summed.

    Args:
        equation: that of an `EinsumDense` that `unsupported` has nothing
            against.
        number: the number of factors, 2 or 3.
    """
    operands, made = equation.split("->")
    data, kernel = operands.split(",")
    rank, other = [
        one for one in reversed(string.ascii_lowercase) if one not in equation
    ][:2]
    rows = "".join(one for one in kernel if one not in made)
    columns = "".join(one for one in kernel if one in made)
    inner = "".join(one for one in data if one not in rows)

    found = [f"{data},{rows}{rank}->{inner}{rank}"]
    if number == 3:
        found.append(f"{inner}{rank},{rank}{other}->{inner}{other}")
        rank = other
    return [*found, f"{inner}{rank},{rank}{columns}->{made}"]


def full_rank(layout: Layout, shape: tuple[int, ...]) -> int:
    """Returns the rank from which on factors can be any kernel."""
    return min(layout.sizes(shape))


def unsupported(layer: Any) -> str | None:
    """Returns why the kernels of a layer cannot be factorized, else None."""
    kind = kind_of(layer)
    if kind is None:
        return f"kernels of {type(layer).__name__} have no factors"
    reason = KINDS[kind](layer)
    if reason is not None:
        return reason

    if _own_call(layer, kind):
        return "its class has a `call` of its own"
    for name in ("kernel_constraint", "recurrent_constraint"):
        if getattr(layer, name, None) is not None:
            return f"it has a `{name}`, which factors cannot keep"
    if getattr(layer, "lora_enabled", False):
        return "it has LoRA adapters"
    if getattr(layer, "quantization_mode", None):
        return "it is quantized"
    return None


def _own_call(layer: Any, kind: str) -> bool:
    """Returns whether a user's class computes in another way than Keras's."""
    for cls in type(layer).__mro__:
        if "call" in vars(cls):
            return cls.__name__ != kind and not cls.__module__.startswith(
                ("keras.", "tf_keras.")
            )
    return False


def _always(layer: Any) -> None:
    del layer


def _of_convolution(layer: Any) -> str | None:
    if layer.groups > 1:
        return "its channels are in groups, each with a kernel of its own"
    return None


def _of_einsum(layer: Any) -> str | None:
    operands, output = layer.equation.split("->")
    data, kernel = operands.split(",")
    if "..." in kernel:
        return "the equation has an ellipsis in the kernel"
    shared = set(kernel) & set(data) & set(output)
    if shared:
        return f"each index {min(shared)!r} has a kernel of its own"
    if not set(kernel) & set(data):
        return "the kernel sums over nothing"
    if not set(kernel) & set(output):
        return "the kernel makes no outputs"
    return None


# What factors support, by the class of Keras, and what they do not.
KINDS: Mapping[str, Callable[[Any], str | None]] = {
    "Dense": _always,
    "EinsumDense": _of_einsum,
    "Conv1D": _of_convolution,
    "Conv2D": _of_convolution,
    "SimpleRNNCell": _always,
    "GRUCell": _always,
    "LSTMCell": _always,
}
