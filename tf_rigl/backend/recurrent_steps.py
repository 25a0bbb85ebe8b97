"""Steps of recurrent cells, by any product with their recurrent kernels.

They are TensorFlow's operations, so that both Kerases share them.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

Products = Callable[[tf.Tensor], tf.Tensor]


def simple_step(
    cell: Any, read: tf.Tensor, recur: Products, states: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """Computes a step of `SimpleRNNCell`.

    Args:
        cell: the cell.
        read: the products of the inputs, without the bias.
        recur: the function that multiplies by the recurrent kernel.
        states: the states before.

    Returns:
        The states after; the first is the output.
    """
    total = read + recur(states[0])
    if cell.use_bias:
        total = total + tf.convert_to_tensor(cell.bias)
    return [total if cell.activation is None else cell.activation(total)]


def lstm_step(
    cell: Any, read: tf.Tensor, recur: Products, states: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """Computes a step of `LSTMCell`, as `simple_step` does."""
    total = read + recur(states[0])
    if cell.use_bias:
        total = total + tf.convert_to_tensor(cell.bias)
    i, f, c, o = tf.split(total, 4, axis=-1)
    gate, act = cell.recurrent_activation, cell.activation
    carried = gate(f) * states[1] + gate(i) * act(c)
    return [gate(o) * act(carried), carried]


def gru_step(
    cell: Any,
    read: tf.Tensor,
    recur: Products,
    states: Sequence[tf.Tensor],
    zeros: tf.Tensor | None = None,
) -> list[tf.Tensor]:
    """Computes a step of `GRUCell`, as `simple_step` does.

    `zeros` are added to the products of the candidate before they pass the
    reset gate.
    """
    before = states[0]
    bias = tf.convert_to_tensor(cell.bias) if cell.use_bias else None
    if bias is not None:
        read = read + (bias[0] if cell.reset_after else bias)
    z, r, h = tf.split(read, 3, axis=-1)
    gate = cell.recurrent_activation

    repeated = recur(before)
    if cell.reset_after and bias is not None:
        repeated = repeated + bias[1]
    repeated_z, repeated_r, repeated_h = tf.split(repeated, 3, axis=-1)
    if zeros is not None:
        repeated_h = repeated_h + zeros
    z, r = gate(z + repeated_z), gate(r + repeated_r)
    if cell.reset_after:
        repeated_h = r * repeated_h
    else:
        repeated_h = tf.split(recur(r * before), 3, axis=-1)[2]

    candidate = cell.activation(h + repeated_h)
    return [z * before + (1 - z) * candidate]


# The step of each class of cells.
STEPS: Mapping[str, Callable[..., list[tf.Tensor]]] = {
    "SimpleRNNCell": simple_step,
    "GRUCell": gru_step,
    "LSTMCell": lstm_step,
}
