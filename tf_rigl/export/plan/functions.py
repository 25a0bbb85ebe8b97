"""Rules of functions that pad and reduce, and of layers that reshape."""

import math

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
    before = call.network.shapes[call.only()]
    zeros = np.zeros((2, *before), np.float32)
    target = getattr(call.layer, "newshape", None)
    if isinstance(target, (list, tuple)) and target[0] in (None, call.batch):
        # Code that has asked for the size of the batch.
        made = zeros.reshape((2, *target[1:])).shape
    else:
        made = call.evaluate(zeros).shape
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
