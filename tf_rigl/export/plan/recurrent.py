"""Rules of recurrent layers.

The products of a cell with its inputs are a dense step over all positions at
once. What has to wait for the step before is a step of the kind "recurrence".
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.export.plan.activations import recognize
from tf_rigl.export.plan.calls import Call
from tf_rigl.export.plan.calls import Unsupported
from tf_rigl.native import plan_recurrence
from tf_rigl.native.plan_graph import ACTIVATIONS
from tf_rigl.native.plan_recurrence import GateFunction
from tf_rigl.surgery.features import Operand

LAYERS = ("GRU", "LSTM", "RNN", "SimpleRNN")
_CELLS = ("GRUCell", "LSTMCell", "SimpleRNNCell")


def recurrent(call: Call) -> int | tuple[int, ...]:
    """Reads GRU, LSTM, SimpleRNN, and RNN of their cells.

    Returns:
        The number of the output; with `return_state`, those of the output and
        the states.
    """
    layer = call.layer
    value, *states = _operands(call)
    _check_options(layer)
    cells = _cells(layer)
    if len(cells) > 1 and (states or layer.return_state):
        raise Unsupported(
            "the states of several cells are read or returned",
            "Make a layer of each cell, such as GRU for GRUCell.",
        )

    direction = "backward" if layer.go_backwards else "forward"
    for cell in cells[:-1]:
        value = _recur(call, cell, value, [], direction, "sequence")
        # Its outputs are in the order in which they were computed.
        direction = "forward"
    returns = "sequence" if layer.return_sequences else "last"
    if not layer.return_state:
        return _recur(call, cells[-1], value, states, direction, returns)
    return _with_states(call, value, states, direction)


def bidirectional(call: Call) -> int | tuple[int, ...]:
    """Reads Bidirectional of layers that `recurrent` reads.

    Returns:
        The number of the output; two for `merge_mode=None`.
    """
    layer = call.layer
    value, *states = _operands(call)
    if states or layer.return_state:
        raise Unsupported(
            "the states of both directions are read or returned",
            "Make a layer of each direction, one with go_backwards=True.",
        )

    made = []
    for inner in (layer.forward_layer, layer.backward_layer):
        if not is_layer(inner):
            raise Unsupported(
                f"it runs {flavors.plain_class(inner).__name__}",
                f"Plans have Bidirectional of {', '.join(LAYERS)}.",
            )
        _check_options(inner)
        is_backward = inner is layer.backward_layer
        if bool(inner.go_backwards) != is_backward:
            raise Unsupported(
                "its layers run in other directions than their names say",
                "Give it a layer with go_backwards=False.",
            )
        made.append(_direction(call, inner, value, is_backward))
    return _merged(call, made)


def is_layer(layer: Any) -> bool:
    """Returns whether a layer is one that `recurrent` reads."""
    return _is_one_of(layer, LAYERS)


def _direction(call: Call, inner: Any, value: int, is_backward: bool) -> int:
    """Adds one direction of Bidirectional, whose outputs are in order."""
    call = dataclasses.replace(
        call, layer=inner, path=f"{call.path}/{inner.name}"
    )
    *first, last = _cells(inner)
    direction = "backward_aligned" if is_backward else "forward"
    for cell in first:
        value = _recur(call, cell, value, [], direction, "sequence")
    returns = "sequence" if inner.return_sequences else "last"
    return _recur(call, last, value, [], direction, returns)


def _merged(call: Call, made: list[int]) -> int | tuple[int, ...]:
    """Merges both directions as Bidirectional does."""
    mode = call.layer.merge_mode
    if mode is None:
        return tuple(made)
    shapes = [call.network.shapes[value] for value in made]
    if mode == "concat":
        channels = sum(shape[-1] for shape in shapes)
        *others, _ = shapes[0]
        axis = {"axis": len(others)}
        return call.add("concatenate", made, (*others, channels), axis)
    value = call.add("multiply" if mode == "mul" else "add", made, shapes[0])
    return call.affine(value, 0.5) if mode == "ave" else value


def _with_states(
    call: Call, value: int, states: list[int], direction: str
) -> tuple[int, ...]:
    """Adds a layer that returns its states, too.

    A sequence and its states are two steps, of which one is dropped if nothing
    reads it.
    """
    (cell,) = _cells(call.layer)
    last = _recur(call, cell, value, states, direction, "states")
    units, count = _units(cell), _count_states(cell)
    parts = [last]
    if count > 1:
        # Each is a part of the output, taken by a sparse product.
        choices = np.split(np.eye(count * units, dtype=np.float32), count, 1)
        parts = [
            call.add("dense", [last], (units,), {}, {"kernel": one})
            for one in choices
        ]
    if not call.layer.return_sequences:
        return (parts[0], *parts)
    made = _recur(call, cell, value, states, direction, "sequence")
    return (made, *parts)


def _recur(
    call: Call,
    cell: Any,
    value: int,
    states: Sequence[int],
    direction: str,
    returns: str,
) -> int:
    """Adds the steps of one cell that reads a sequence."""
    shape = call.network.shapes[value]
    if len(shape) != 2:
        raise Unsupported(
            f"its inputs have {len(shape)} dimensions besides the batch",
            "Plans have sequences of vectors.",
        )
    of_cell = dataclasses.replace(call, layer=cell)
    kernel, recurrent_kernel = (
        of_cell.array(name) for name in ("kernel", "recurrent_kernel")
    )
    of_inputs, of_states = _biases(of_cell)
    gates = call.add(
        "dense",
        [value],
        (shape[0], kernel.shape[-1]),
        {},
        {"kernel": kernel, **of_inputs},
    )
    units = _units(cell)
    return call.add(
        "recurrence",
        [gates, *states],
        {
            "sequence": (shape[0], units),
            "last": (units,),
            "states": (_count_states(cell) * units,),
        }[returns],
        {
            "cell": _name(cell),
            "direction": direction,
            "returns": returns,
            "gate": _function(getattr(cell, "recurrent_activation", None)),
            "candidate": _function(cell.activation),
        },
        {"kernel": recurrent_kernel, **of_states},
    )


def _biases(
    of_cell: Call,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns the biases of the products with inputs and with states."""
    if not of_cell.layer.use_bias:
        return {}, {}
    bias = of_cell.array("bias")
    if bias.ndim == 1:
        return {"bias": bias}, {}
    return {"bias": bias[0]}, {"bias": bias[1]}


def _function(function: Callable[[Any], Any] | None) -> GateFunction:
    """Returns what a cell applies to the sums of a gate.

    Raises:
        Unsupported: if plans do not have it.
    """
    if function is None:
        return GateFunction("linear")
    found = recognize(function)
    if found is None or found.name == "softmax":
        name = getattr(function, "__name__", None) or repr(function)
        possible = [one for one in ACTIVATIONS if one != "softmax"]
        raise Unsupported(
            f"plans do not have its activation ({name})",
            "Use one of " + ", ".join(possible) + ".",
        )
    slope = found.negative_slope or 0.0
    return GateFunction(
        found.name, slope, found.scale, found.offset, found.after
    )


def _operands(call: Call) -> list[int]:
    """Returns the values of the sequence and of the states to begin with."""
    return [
        call.values[one.index]
        for one in tf.nest.flatten(call.arguments)
        if isinstance(one, Operand)
    ]


def _check_options(layer: Any) -> None:
    if layer.stateful:
        raise Unsupported(
            "it keeps its state from batch to batch (stateful=True)",
            "A plan keeps nothing between calls: pass the state as "
            "initial_state, and take the new one by return_state=True.",
        )
    if getattr(layer, "time_major", False):
        raise Unsupported(
            "its first dimension is time (time_major=True)",
            "Build it with time_major=False.",
        )


def _cells(layer: Any) -> list[Any]:
    """Returns the cells that read one another's outputs.

    Raises:
        Unsupported: if plans do not have one of them.
    """
    cells = getattr(layer.cell, "cells", None) or [layer.cell]
    for cell in cells:
        if not _is_one_of(cell, _CELLS):
            raise Unsupported(
                f"its cell is {flavors.plain_class(cell).__name__}",
                f"Plans have {', '.join(_CELLS)}.",
            )
    return list(cells)


def _is_one_of(layer: Any, names: Sequence[str]) -> bool:
    cls = flavors.plain_class(layer)
    return flavors.is_of_keras(cls) and cls.__name__ in names


def _name(cell: Any) -> str:
    """Returns what `native.plan_recurrence` calls a cell."""
    kind = flavors.plain_class(cell).__name__
    if kind == "GRUCell":
        return "gru" if cell.reset_after else "gru_reset_first"
    return {"LSTMCell": "lstm", "SimpleRNNCell": "simple"}[kind]


def _count_states(cell: Any) -> int:
    return plan_recurrence.count_states(_name(cell))


def _units(cell: Any) -> int:
    return int(cell.units)
