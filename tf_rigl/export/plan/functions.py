"""Rules of functions that move positions, and of layers that reshape."""

import math
from typing import Any

import numpy as np

from tf_rigl.export.plan import kernels
from tf_rigl.export.plan.calls import Call
from tf_rigl.export.plan.calls import Unsupported
from tf_rigl.export.plan.calls import as_array


def reshape(call: Call) -> int:
    """Reads what changes the shape alone: Flatten, Reshape, `expand_dims`.

    The layer is called on zeros: two examples tell whether it keeps examples
    apart.
    """
    (before,) = call.shapes
    made = call.evaluate(np.zeros((2, *before), np.float32)).shape
    after = tuple(int(size) for size in made[1:])
    if not made or made[0] != 2 or math.prod(after) != math.prod(before):
        raise Unsupported(
            "it does not keep the examples of a batch apart",
            "Leave the first dimension as it is.",
        )
    if after == before:
        return call.only()
    return call.add("reshape", call.values, after)


def mean(call: Call) -> int:
    """Reads a mean of all positions."""
    return _reduced(call, "average")


def largest(call: Call) -> int:
    """Reads the maximum of all positions."""
    return _reduced(call, "max")


def padding(call: Call) -> int:
    """Reads `pad` of an image by zeros; not of its channels."""
    name = "paddings" if hasattr(call.layer, "symbol") else "pad_width"
    widths = as_array(call.argument(name, 1)).astype(int)
    mode = str(call.argument("mode", 2, "constant")).lower()
    value = call.argument("constant_values", 3, 0) or 0
    rank = len(call.shapes[0]) + 1
    is_image = widths.shape == (rank, 2) and not widths[[0, -1]].any()
    if not is_image or mode != "constant" or value != 0:
        raise Unsupported(
            f"it pads by {widths.tolist()}, mode={mode!r}",
            "Pad height and width with zeros.",
        )
    return kernels.pad(
        call, tuple((int(one), int(other)) for one, other in widths[1:-1])
    )


def matrix_product(call: Call) -> int:
    """Reads a product with a matrix that is a weight or constant."""
    args, kwargs = call.arguments
    given = [*args, *(kwargs[one] for one in ("x2", "b") if one in kwargs)]
    flags = [one for key, one in kwargs.items() if key.startswith("transpose")]
    if len(given) < 2 or any(flags) or hasattr(given[1], "index"):
        raise Unsupported("it is no product with a constant matrix")
    matrix = as_array(given[1])
    shape = call.shapes[0]
    if not hasattr(given[0], "index") or matrix.ndim != 2:
        raise Unsupported("it is no product with a constant matrix")
    return call.add(
        "dense",
        call.values,
        (*shape[:-1], matrix.shape[-1]),
        {},
        {"kernel": matrix},
    )


def selection(call: Call) -> int:
    """Reads `take` of channels, such as a selection that `shrink` has made.

    It is a product with a matrix of few ones, whose zeros cost nothing.
    """
    shape = call.shapes[0]
    axis = call.argument("axis", 3, None)
    chosen = as_array(call.argument("indices", 1)).astype(int)
    if axis is None or int(axis) % (len(shape) + 1) != len(shape):
        raise Unsupported(f"its axis is {axis}", "Take channels.")
    if chosen.ndim != 1:
        raise Unsupported("it takes by more than a list of numbers")
    return select(call, chosen)


def slicing(call: Call) -> int:
    """Reads `tensor[...]` of channels."""
    (shape,) = call.shapes
    numbers = np.arange(math.prod(shape), dtype=np.float32).reshape(1, *shape)
    made = np.asarray(call.evaluate(np.repeat(numbers, 2, axis=0)))
    if made.shape[:-1] != (2, *shape[:-1]):
        raise Unsupported(
            "it takes a part of positions", "Use pooling or strides."
        )
    chosen = made.reshape(-1, made.shape[-1])[0].astype(int)
    expected = np.take(numbers, chosen, axis=-1)
    if not (made == expected).all():
        raise Unsupported(
            "it takes a part of positions", "Use pooling or strides."
        )
    return select(call, chosen)


def select(call: Call, chosen: np.ndarray) -> int:
    """Adds the channels of some numbers, by a sparse product."""
    *others, channels = call.shapes[0]
    matrix = np.zeros((channels, len(chosen)), np.float32)
    matrix[chosen, np.arange(len(chosen))] = 1
    shape = (*others, len(chosen))
    if len(others) not in (1, 2):
        return call.add("dense", call.values, shape, {}, {"kernel": matrix})
    attributes: dict[str, Any] = {
        "strides": (1,) * len(others),
        "padding": ((0, 0),) * len(others),
        "dilation": (1,) * len(others),
        "groups": 1,
    }
    kernel = matrix.reshape((1,) * len(others) + matrix.shape)
    return call.add(
        "convolution", call.values, shape, attributes, {"kernel": kernel}
    )


def _reduced(call: Call, mode: str) -> int:
    axis = call.argument("axis", 1, None)
    kept = bool(call.argument("keepdims", 2, False))
    rank = len(call.shapes[0]) + 1
    axes = sorted(int(one) % rank for one in np.ravel(axis or ()))
    if axes != list(range(1, rank - 1)) or not axes:
        raise Unsupported(
            f"its axis is {axis}", "Reduce all positions of an image."
        )
    return kernels.pool_all(call, mode, kept)
