"""Attributes of operations as the integers of a file of a plan."""

from collections.abc import Iterable

import numpy as np

from tf_rigl.native import plan_recurrence
from tf_rigl.native.plan_graph import Operation

_MODES = ("max", "average")


def encode(operation: Operation, rank: int) -> list[int]:
    """Returns the attributes of an operation.

    Axes are counted as those of images are: y, x, channels.

    Args:
        operation: the operation.
        rank: how many dimensions its output has.
    """
    return list(map(int, _numbers(operation, rank)))


def bits(number: float) -> int:
    """Returns the bits of a float32 as an integer."""
    return int(np.float32(number).view(np.int32))


def _numbers(operation: Operation, rank: int) -> list[int]:
    given, arrays = operation.attributes, operation.arrays
    before = 3 - rank
    match operation.kind:
        case "dense":
            return list(arrays["kernel"].shape[::-1])
        case "convolution" | "depthwise":
            return _of_convolution(operation)
        case "pool":
            return [
                _MODES.index(given["mode"]),
                *_pair(given["size"]),
                *_pair(given["strides"]),
                *_borders(given["padding"]),
            ]
        case "global_pool":
            return [_MODES.index(given["mode"])]
        case "pad":
            return _borders(given["padding"])
        case "embedding":
            return list(arrays["table"].shape)
        case "concatenate":
            return [before + given.get("axis", rank - 1)]
        case "transpose":
            return [*range(before), *(before + axis for axis in given["order"])]
        case "normalize":
            return [given["is_centered"], bits(given["epsilon"])]
        case "slice":
            return [*_pair(given["starts"], 0), *_pair(given["strides"])]
        case "attention":
            heads = [given["heads"], given["key_heads"], given["is_causal"]]
            return [*heads, bits(given["scale"])]
        case "matrix_product":
            return [given["is_transposed"]]
        case "recurrence":
            return plan_recurrence.encode(operation)
        case _:
            return []


def _pair(numbers: Iterable[int], missing: int = 1) -> list[int]:
    """Returns numbers for height and width; of sequences, the height is 1."""
    numbers = list(numbers)
    return [missing] * (2 - len(numbers)) + numbers


def _borders(padding: Iterable[tuple[int, int]]) -> list[int]:
    """Returns the zeros above, below, to the left and to the right."""
    padding = list(padding)
    padding = [(0, 0)] * (2 - len(padding)) + padding
    return [number for pair in padding for number in pair]


def _of_convolution(operation: Operation) -> list[int]:
    """Returns the attributes of a convolution."""
    kernel = operation.arrays["kernel"]
    *size, channels, outputs = kernel.shape
    given = operation.attributes
    if operation.kind == "depthwise":
        groups, channels, outputs = channels, 1, channels * outputs
    else:
        groups = given.get("groups", 1)
    ones = (1,) * len(size)
    return [
        outputs,
        *_pair(size),
        *_pair(given.get("strides", ones)),
        *_pair(given.get("dilation", ones)),
        *_borders(given["padding"]),
        groups,
        channels,
    ]
