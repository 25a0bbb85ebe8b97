"""Checks that a network is one that a plan can hold, operation by operation."""

import math
from collections.abc import Callable
from collections.abc import Sequence

import numpy as np

from tf_rigl.native import plan_recurrence
from tf_rigl.native.plan_graph import ACTIVATIONS
from tf_rigl.native.plan_graph import Graph
from tf_rigl.native.plan_graph import Operation
from tf_rigl.native.plan_graph import Shape
from tf_rigl.native.plan_sequence_checks import CHECKS
from tf_rigl.native.plan_sequence_checks import check_vector

# Places in memory are int32.
_LARGEST = 2**31 - 1


def check(graph: Graph) -> None:
    """Checks values, their order, and each operation.

    Raises:
        ValueError: if anything is wrong, with the name of the operation.
    """
    for value, shape in enumerate(graph.shapes):
        if not 1 <= len(shape) <= 3 or min(shape) < 1:
            raise ValueError(
                "Values of a plan must have one to three dimensions, all known "
                f"and positive. Received: value {value} of shape {shape}"
            )
        if math.prod(shape) > _LARGEST // 4:
            raise ValueError(
                f"Values of a plan must have at most {_LARGEST // 4} elements. "
                f"Received: value {value} of shape {shape}"
            )
    _check_order(graph)
    for operation in graph.operations:
        try:
            _check_operation(graph, operation)
        except (ValueError, KeyError, TypeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise ValueError(
                f"{operation.kind} {operation.name!r}: {reason}"
            ) from error


def _check_order(graph: Graph) -> None:
    """Checks that each value is made once, before it is used."""
    for name, values in (("input", graph.inputs), ("output", graph.outputs)):
        names = getattr(graph, f"{name}_names")
        if not values or len(names) not in (0, len(values)):
            raise ValueError(
                f"A plan must have at least one {name}, and a name for each. "
                f"Received: {name}s={values}, {name}_names={names}"
            )
    made: set[int] = set()
    for value in (*graph.inputs, *(one.output for one in graph.operations)):
        if value in made or not 0 <= value < len(graph.shapes):
            raise ValueError(
                "Each value must be one input or made by one operation. "
                f"Received: value {value}"
            )
        made.add(value)

    made = set(graph.inputs)
    for operation in graph.operations:
        _check_made(operation.inputs, made, operation.name)
        made.add(operation.output)
    _check_made(graph.outputs, made, "outputs")


def _check_made(values: Sequence[int], made: set[int], name: str) -> None:
    for value in values:
        if value not in made:
            raise ValueError(
                "A value must be made before it is used. "
                f"Received: value {value} of {name!r}"
            )


def _check_operation(graph: Graph, operation: Operation) -> None:
    function = _CHECKS.get(operation.kind)
    if function is None:
        raise ValueError(f"The kind must be one of {', '.join(_CHECKS)}.")
    activation = operation.attributes.get("activation", "linear")
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"The activation must be one of {', '.join(ACTIVATIONS)}. "
            f"Received: activation={activation!r}"
        )
    for name, array in operation.arrays.items():
        if not np.issubdtype(np.asarray(array).dtype, np.floating):
            raise ValueError(
                "Arrays must be of floats. "
                f"Received: {name} of {np.asarray(array).dtype}"
            )

    inputs = [graph.shapes[value] for value in operation.inputs]
    counts = _INPUTS.get(operation.kind, (1, 1))
    if not counts[0] <= len(inputs) <= counts[1]:
        raise ValueError(f"Received: {len(inputs)} inputs")
    output = graph.shapes[operation.output]
    expected = function(operation, inputs, output)
    if tuple(expected) != tuple(output):
        raise ValueError(
            f"The output must be of shape {tuple(expected)}. "
            f"Received: {tuple(output)}"
        )


def _dense(operation: Operation, inputs: list[Shape], _: Shape) -> Shape:
    kernel = operation.arrays["kernel"]
    if kernel.ndim != 2 or kernel.shape[0] != inputs[0][-1]:
        raise ValueError(
            f"The kernel must be [{inputs[0][-1]}, outputs]. "
            f"Received: {kernel.shape}"
        )
    check_vector(operation, "bias", kernel.shape[1])
    return (*inputs[0][:-1], kernel.shape[1])


def _convolution(
    operation: Operation, inputs: list[Shape], output: Shape
) -> Shape:
    *space, channels = inputs[0]
    kernel = operation.arrays["kernel"]
    groups = operation.attributes.get("groups", 1)
    if operation.kind == "convolution":
        expected = channels / groups if groups >= 1 else 0
        outputs = kernel.shape[-1]
        if outputs % groups:
            raise ValueError(
                "Groups must divide the outputs. "
                f"Received: groups={groups}, outputs={outputs}"
            )
    else:
        expected, outputs = channels, channels * kernel.shape[-1]
    if kernel.ndim != len(space) + 2 or kernel.shape[-2] != expected:
        raise ValueError(
            f"The kernel must be {len(space)} sizes, {expected:g} channels and "
            f"outputs. Received: {kernel.shape}"
        )
    check_vector(operation, "bias", outputs)
    if len(inputs) == 2 and inputs[1] != output:
        raise ValueError(
            "What is added must have the shape of the output. "
            f"Received: {inputs[1]}"
        )
    size = kernel.shape[:-2]
    return (*_windows(operation, space, size), outputs)


def _windows(
    operation: Operation, space: Sequence[int], size: Sequence[int]
) -> Shape:
    """Returns where windows of that size begin: the output in space."""
    given = operation.attributes
    ones = (1,) * len(space)
    strides = tuple(given.get("strides", ones))
    dilation = tuple(given.get("dilation", ones))
    padding = _padding(operation, len(space))
    if not space or not len(space) == len(size) == len(strides):
        raise ValueError(
            "There must be a size and a stride for each dimension in space. "
            f"Received: size={tuple(size)}, strides={strides}, "
            f"shape={tuple(space)}"
        )
    if len(dilation) != len(space) or min(*size, *strides, *dilation) < 1:
        raise ValueError(
            "Sizes, strides and dilation must be positive, one for each "
            f"dimension in space. Received: size={tuple(size)}, "
            f"strides={strides}, dilation={dilation}"
        )
    result = []
    for i, length in enumerate(space):
        reach = (size[i] - 1) * dilation[i] + 1
        left = length + sum(padding[i]) - reach
        if left < 0:
            raise ValueError(
                "Windows must not be larger than the padded input. "
                f"Received: size={tuple(size)}, shape={tuple(space)}"
            )
        result.append(left // strides[i] + 1)
    return tuple(result)


def _padding(operation: Operation, dimensions: int) -> list[tuple[int, int]]:
    padding = operation.attributes["padding"]
    pairs = [tuple(pair) for pair in padding]
    if len(pairs) != dimensions or any(
        len(pair) != 2 or min(pair) < 0 for pair in pairs
    ):
        raise ValueError(
            "Padding must be a pair of numbers for each dimension in space. "
            f"Received: padding={padding!r}"
        )
    return pairs


def _check_mode(operation: Operation) -> None:
    mode = operation.attributes["mode"]
    if mode not in ("max", "average"):
        raise ValueError(
            f'The mode must be "max" or "average". Received: mode={mode!r}'
        )


def _pool(operation: Operation, inputs: list[Shape], _: Shape) -> Shape:
    _check_mode(operation)
    *space, channels = inputs[0]
    size = tuple(operation.attributes["size"])
    for pair, length in zip(_padding(operation, len(space)), size, strict=True):
        if max(pair) >= length:
            raise ValueError(
                "Padding must be smaller than the size. "
                f"Received: padding={pair}, size={size}"
            )
    return (*_windows(operation, space, size), channels)


def _global_pool(
    operation: Operation, inputs: list[Shape], output: Shape
) -> Shape:
    _check_mode(operation)
    channels = inputs[0][-1]
    if operation.attributes.get("keep_dimensions", len(output) > 1):
        return (*(1,) * (len(inputs[0]) - 1), channels)
    return (channels,)


def _pad(operation: Operation, inputs: list[Shape], _: Shape) -> Shape:
    *space, channels = inputs[0]
    padding = _padding(operation, len(space))
    padded = [
        length + sum(pair) for length, pair in zip(space, padding, strict=True)
    ]
    return (*padded, channels)


def _affine(operation: Operation, inputs: list[Shape], _: Shape) -> Shape:
    for name in ("scale", "offset"):
        if name not in operation.arrays:
            raise KeyError(name)
        check_vector(operation, name, inputs[0][-1])
    return inputs[0]


def _broadcast(
    operation: Operation, inputs: list[Shape], output: Shape
) -> Shape:
    for shape in inputs:
        if len(shape) != len(output) or any(
            a not in (1, b) for a, b in zip(shape, output, strict=True)
        ):
            raise ValueError(
                "Inputs must have the shape of the output or 1 in some of its "
                f"dimensions. Received: {shape} for {output}"
            )
    return output


def _reshape(_: Operation, inputs: list[Shape], output: Shape) -> Shape:
    if math.prod(inputs[0]) != math.prod(output):
        raise ValueError(
            "The number of elements must stay. "
            f"Received: {inputs[0]} to {output}"
        )
    return output


_CHECKS: dict[str, Callable[[Operation, list[Shape], Shape], Shape]] = {
    "dense": _dense,
    "convolution": _convolution,
    "depthwise": _convolution,
    "pool": _pool,
    "global_pool": _global_pool,
    "pad": _pad,
    "affine": _affine,
    "add": _broadcast,
    "multiply": _broadcast,
    "activation": lambda _, inputs, __: inputs[0],
    "reshape": _reshape,
    **CHECKS,
    "recurrence": plan_recurrence.check,
}
# Fewest and most inputs, where they are not one.
_INPUTS = {
    "convolution": (1, 2),
    "depthwise": (1, 2),
    "add": (2, 1000),
    "multiply": (2, 1000),
    "concatenate": (1, 1000),
    "constant": (0, 0),
    "attention": (3, 3),
    "matrix_product": (2, 2),
    "recurrence": (1, 3),
}
