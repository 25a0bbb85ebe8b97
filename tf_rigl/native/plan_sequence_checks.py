"""Checks operations that move, compare and look up positions."""

from collections.abc import Callable

import numpy as np

from tf_rigl.native.plan_graph import Operation
from tf_rigl.native.plan_graph import Shape

# Whole numbers up to it are float32.
MOST_ROWS = 2**24


def check_vector(operation: Operation, name: str, length: int) -> None:
    """Checks that an array is `[length]`, if it is there."""
    array = operation.arrays.get(name)
    if array is not None and array.shape != (length,):
        raise ValueError(
            f"The {name} must be [{length}]. Received: {array.shape}"
        )


def _concatenate(operation: Operation, inputs: list[Shape], _: Shape) -> Shape:
    rank = len(inputs[0])
    axis = operation.attributes.get("axis", rank - 1)
    others = {(*shape[:axis], 0, *shape[axis + 1 :]) for shape in inputs}
    if not 0 <= axis < rank or len(others) != 1:
        raise ValueError(
            "Inputs must have the same shape but for the axis, one of theirs. "
            f"Received: {', '.join(map(str, inputs))}, axis={axis}"
        )
    joined = sum(shape[axis] for shape in inputs)
    return (*inputs[0][:axis], joined, *inputs[0][axis + 1 :])


def _constant(operation: Operation, _: list[Shape], __: Shape) -> Shape:
    return operation.arrays["value"].shape


def _normalize(operation: Operation, inputs: list[Shape], _: Shape) -> Shape:
    for name in ("scale", "offset"):
        check_vector(operation, name, inputs[0][-1])
    epsilon = operation.attributes["epsilon"]
    if not epsilon >= 0:
        raise ValueError(
            f"The epsilon must not be negative. Received: epsilon={epsilon}"
        )
    return inputs[0]


def _transpose(operation: Operation, inputs: list[Shape], _: Shape) -> Shape:
    order = operation.attributes["order"]
    if sorted(order) != list(range(len(inputs[0]))):
        raise ValueError(
            "The order must have each axis of the input once. "
            f"Received: order={order}, shape={inputs[0]}"
        )
    return tuple(inputs[0][axis] for axis in order)


def _slice(operation: Operation, inputs: list[Shape], output: Shape) -> Shape:
    starts, strides = (
        operation.attributes[name] for name in ("starts", "strides")
    )
    *space, channels = inputs[0]
    counts = {len(space), len(starts), len(strides), len(output) - 1}
    if (
        len(counts) > 1
        or any(start < 0 for start in starts)
        or any(stride < 1 for stride in strides)
    ):
        raise ValueError(
            "There must be a start and a positive stride for each dimension "
            f"in space. Received: starts={starts}, strides={strides}, "
            f"shape={inputs[0]}"
        )
    for size, start, stride, count in zip(
        space, starts, strides, output[:-1], strict=True
    ):
        if start + (count - 1) * stride >= size:
            raise ValueError(
                "Positions must be those of the input. "
                f"Received: {count} from {start} by {stride} of {size}"
            )
    return (*output[:-1], channels)


def _embedding(operation: Operation, inputs: list[Shape], _: Shape) -> Shape:
    table = operation.arrays["table"]
    if table.ndim != 2 or not 1 <= len(table) <= MOST_ROWS:
        raise ValueError(
            f"The table must be [rows, width], of at most {MOST_ROWS} rows. "
            f"Received: {table.shape}"
        )
    return (*inputs[0], table.shape[1])


def _attention(operation: Operation, inputs: list[Shape], _: Shape) -> Shape:
    heads = operation.attributes["heads"]
    key_heads = operation.attributes["key_heads"]
    queries, keys, values = inputs
    sizes = [
        shape[-1] / count
        for shape, count in zip(
            inputs, (heads, key_heads, key_heads), strict=True
        )
    ]
    fits = (
        {len(shape) for shape in inputs} == {2}
        and keys[0] == values[0]
        and heads % key_heads == 0
        and sizes[0] == sizes[1]
        and all(size == int(size) for size in sizes)
    )
    if not fits or not np.isfinite(operation.attributes["scale"]):
        raise ValueError(
            "Queries, keys and values must be [positions, heads · size], and "
            "the scale a number. Received: "
            f"{queries}, {keys}, {values}, {dict(operation.attributes)}"
        )
    return (queries[0], int(heads * sizes[2]))


def _matrix_product(
    operation: Operation, inputs: list[Shape], _: Shape
) -> Shape:
    first, second = inputs
    rows, columns = second[-2:] if len(second) > 1 else (0, 0)
    if operation.attributes["is_transposed"]:
        rows, columns = columns, rows
    if len(first) < 2 or (*first[:-2], first[-1]) != (*second[:-2], rows):
        raise ValueError(
            "Both must be matrices that can be multiplied, as many of each. "
            f"Received: {first} and {second}"
        )
    return (*first[:-1], columns)


CHECKS: dict[str, Callable[[Operation, list[Shape], Shape], Shape]] = {
    "concatenate": _concatenate,
    "constant": _constant,
    "normalize": _normalize,
    "transpose": _transpose,
    "slice": _slice,
    "embedding": _embedding,
    "attention": _attention,
    "matrix_product": _matrix_product,
}
