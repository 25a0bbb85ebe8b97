"""What plans say of recurrent layers: their attributes, checked and encoded."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tf_rigl.native.plan_graph import ACTIVATIONS
from tf_rigl.native.plan_graph import Operation
from tf_rigl.native.plan_graph import Shape

# Gates of each cell, in Keras's order; recurrence.h has the same cells.
GATES = {"simple": 1, "gru": 3, "gru_reset_first": 3, "lstm": 4}
DIRECTIONS = ("forward", "backward", "backward_aligned")
RETURNS = ("sequence", "last", "states")


class GateFunction(NamedTuple):
    """`factor · activation(scale · x + offset)`."""

    activation: str
    negative_slope: float = 0.0
    scale: float = 1.0
    offset: float = 0.0
    factor: float = 1.0


def count_states(cell: str) -> int:
    """Returns how many states a cell has."""
    return 2 if cell == "lstm" else 1


def check(operation: Operation, inputs: list[Shape], output: Shape) -> Shape:
    """Checks a recurrent layer.

    Args:
        operation: one of the kind "recurrence".
        inputs: shapes of what it reads.
        output: the shape of what it makes.

    Returns:
        The shape that its output must have.

    Raises:
        ValueError: if anything is wrong.
        KeyError: if an attribute or the kernel is not there.
    """
    del output
    given = operation.attributes
    cell = given["cell"]
    for name, choices in (
        ("cell", tuple(GATES)),
        ("direction", DIRECTIONS),
        ("returns", RETURNS),
    ):
        if given[name] not in choices:
            raise ValueError(
                f"The {name} must be one of {', '.join(choices)}. "
                f"Received: {name}={given[name]!r}"
            )
    for name in ("gate", "candidate"):
        _check_function(given[name])

    kernel = operation.arrays["kernel"]
    units = kernel.shape[0]
    gates = GATES[cell] * units
    if kernel.shape != (units, gates):
        raise ValueError(
            f"The kernel must be [units, {GATES[cell]} · units]. "
            f"Received: {kernel.shape}"
        )
    bias = operation.arrays.get("bias")
    if bias is not None and bias.shape != (gates,):
        raise ValueError(f"The bias must be [{gates}]. Received: {bias.shape}")
    _check_inputs(inputs, cell, units)
    sequence = (*inputs[0][:-1], units)
    states = (count_states(cell) * units,)
    return {"sequence": sequence, "last": (units,), "states": states}[
        given["returns"]
    ]


def encode(operation: Operation) -> list[int]:
    """Returns the attributes as the numbers of a file."""
    given = operation.attributes
    words = [
        operation.arrays["kernel"].shape[0],
        list(GATES).index(given["cell"]),
        DIRECTIONS.index(given["direction"]),
        RETURNS.index(given["returns"]),
    ]
    for name in ("gate", "candidate"):
        activation, *terms = GateFunction(*given[name])
        words.append(ACTIVATIONS.index(activation))
        words += np.array(terms, np.float32).view(np.int32).tolist()
    return words


def _check_function(given: Sequence[object]) -> None:
    name, *terms = given
    possible = [one for one in ACTIVATIONS if one != "softmax"]
    if name not in possible or len(terms) > 4:
        raise ValueError(
            f"The functions of a cell must be of {', '.join(possible)}, with "
            "negative_slope, scale, offset and factor. Received: "
            f"{tuple(given)}"
        )


def _check_inputs(inputs: list[Shape], cell: str, units: int) -> None:
    first, *states = inputs
    gates = GATES[cell] * units
    if len(first) != 2 or first[1] != gates:
        raise ValueError(
            f"The first input must be [steps, {gates}]. Received: {first}"
        )
    if states and states != [(units,)] * count_states(cell):
        raise ValueError(
            f"There must be no state or {count_states(cell)} of [{units}]. "
            f"Received: {states}"
        )
