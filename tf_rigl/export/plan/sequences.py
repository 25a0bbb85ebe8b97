"""Rules of layers that move, join, look up and normalize positions."""

import itertools
import math
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.export.plan import elementwise
from tf_rigl.export.plan.calls import Call
from tf_rigl.export.plan.calls import Unsupported
from tf_rigl.export.plan.calls import as_array
from tf_rigl.native.plan_sequence_checks import MOST_ROWS
from tf_rigl.surgery.features import Operand


def layer_normalization(call: Call) -> int:
    """Reads LayerNormalization over the last dimension."""
    layer = call.layer
    if getattr(layer, "rms_scaling", False):
        raise Unsupported(
            "it has rms_scaling=True", "Use RMSNormalization instead."
        )
    return _normalized(
        call, layer.epsilon, True, scale=layer.gamma, offset=layer.beta
    )


def rms_normalization(call: Call) -> int:
    """Reads RMSNormalization over the last dimension."""
    return _normalized(call, call.layer.epsilon, False, scale=call.layer.scale)


def transposition(call: Call) -> int:
    """Reads Permute, and functions that put dimensions in another order.

    They are called on numbers; what comes out tells the order.
    """
    (shape,) = call.shapes
    numbers = _numbers(shape)
    made = np.asarray(call.evaluate(numbers))
    for order in itertools.permutations(range(len(shape))):
        turned = numbers.transpose(0, *(axis + 1 for axis in order))
        if turned.shape == made.shape and (turned == made).all():
            if order == tuple(range(len(shape))):
                return call.only()
            return call.add(
                "transpose", call.values, made.shape[1:], {"order": order}
            )
    raise Unsupported(
        "it does not keep the examples of a batch apart",
        "Leave the first dimension as it is.",
    )


def concatenation(call: Call) -> int:
    """Reads Concatenate along any dimension, also of constants."""
    rank = len(call.shapes[0])
    axis = int(call.argument("axis", 1, -1)) % (rank + 1)
    if axis == 0:
        raise Unsupported(
            "its axis is 0", "Do not join the examples of batches."
        )
    values = [
        one if isinstance(one, int) else _constant(call, one, axis)
        for one in _listed(call)
    ]
    shapes = [list(call.network.shapes[value]) for value in values]
    made = shapes[0]
    made[axis - 1] = sum(shape[axis - 1] for shape in shapes)
    return call.add("concatenate", values, made, {"axis": axis - 1})


def selection(call: Call) -> int:
    """Reads `take` and `tensor[...]`: of channels, of positions, or of both.

    They are called on numbers; what comes out tells which they take.
    """
    (shape,) = call.shapes
    made = np.asarray(call.evaluate(_numbers(shape)))
    whole = np.arange(math.prod(shape)).reshape(shape)
    if not made.size or made.shape[0] != 2 or (made[0] != made[1]).any():
        raise Unsupported(
            "it takes a part of the batch, or nothing", "Take positions."
        )
    taken = made[0].astype(int)
    *space, channels = np.unravel_index(taken.ravel(), shape)
    axes = [_first_of(one) for one in space]
    is_first = np.logical_and.reduce([one == one[0] for one in space])
    axes.append(channels[np.broadcast_to(is_first, channels.shape)])
    if not np.array_equal(whole[np.ix_(*axes)].ravel(), taken.ravel()):
        raise Unsupported(
            "it takes other than rows, columns and channels",
            "Take them one dimension after the other.",
        )
    value = _positions(call, call.only(), axes[:-1])
    value = _channels(call, value, axes[-1])
    return call.reshape(value, taken.shape)


def embedding(call: Call) -> int:
    """Reads Embedding of an input of the model."""
    layer, value = call.layer, call.only()
    if value not in call.network.inputs:
        raise Unsupported(
            "it reads numbers that the model computes",
            "Plans have embeddings of inputs of the model, and of constants.",
        )
    if getattr(layer, "sparse", False):
        raise Unsupported("its outputs are sparse", "Use sparse=False.")
    table = call.array("embeddings")
    if len(table) > MOST_ROWS:
        raise Unsupported(
            f"it has {len(table)} rows", f"Plans have up to {MOST_ROWS}."
        )
    shape = (*call.network.shapes[value], table.shape[1])
    return call.add("embedding", [value], shape, {}, {"table": table})


def folded(call: Call) -> int | None:
    """Computes what is the same for each input; None if it is not."""
    constants = [call.network.constants.get(value) for value in call.values]
    if not constants or any(one is None for one in constants):
        return None
    tensors = [tf.constant(one)[tf.newaxis] for one in constants]
    made = call.evaluate(*tensors)
    if not tf.is_tensor(made) or made.shape[0] != 1 or made.shape.rank < 2:
        return None
    return call.constant(tf.cast(made, tf.float32)[0].numpy())


def _normalized(
    call: Call, epsilon: float, is_centered: bool, **arrays: Any
) -> int:
    (shape,) = call.shapes
    rank = len(shape)
    axis = call.layer.axis
    if [int(one) % (rank + 1) for one in np.ravel(axis)] != [rank]:
        raise Unsupported(
            f"its axis is {axis}", "Normalize the last dimension, axis=-1."
        )
    return call.add(
        "normalize",
        call.values,
        shape,
        {"epsilon": float(epsilon), "is_centered": is_centered},
        {
            name: as_array(one)
            for name, one in arrays.items()
            if one is not None
        },
    )


def _numbers(shape: tuple[int, ...]) -> np.ndarray:
    """Returns the numbers of the elements of two examples that are alike."""
    numbers = np.arange(math.prod(shape), dtype=np.float32)
    return np.repeat(numbers.reshape(1, *shape), 2, axis=0)


def _first_of(numbers: np.ndarray) -> np.ndarray:
    """Returns each number once, in the order in which they come first."""
    _, places = np.unique(numbers, return_index=True)
    return numbers[np.sort(places)]


def _positions(call: Call, value: int, axes: list[np.ndarray]) -> int:
    """Adds a step that takes rows and columns by these numbers."""
    shape = call.network.shapes[value]
    counts = tuple(len(one) for one in axes)
    steps = [np.unique(np.diff(one)) for one in axes]
    if any(len(one) > 1 or (one < 1).any() for one in steps):
        raise Unsupported(
            "it takes positions in another order",
            "Take positions that are equally far apart, forwards.",
        )
    if counts == shape[:-1]:
        return value
    attributes = {
        "starts": tuple(int(one[0]) for one in axes),
        "strides": tuple(int(one[0]) if len(one) else 1 for one in steps),
    }
    return call.add("slice", [value], (*counts, shape[-1]), attributes)


def _channels(call: Call, value: int, chosen: np.ndarray) -> int:
    """Adds the channels of some numbers, by a sparse product."""
    *others, channels = call.network.shapes[value]
    if np.array_equal(chosen, np.arange(channels)):
        return value
    matrix = np.zeros((channels, len(chosen)), np.float32)
    matrix[chosen, np.arange(len(chosen))] = 1
    if len(others) not in (1, 2):
        return call.product(value, matrix)
    attributes: dict[str, Any] = {
        "strides": (1,) * len(others),
        "padding": ((0, 0),) * len(others),
        "dilation": (1,) * len(others),
        "groups": 1,
    }
    kernel = matrix.reshape((1,) * len(others) + matrix.shape)
    return call.add(
        "convolution",
        [value],
        (*others, len(chosen)),
        attributes,
        {"kernel": kernel},
    )


def _listed(call: Call) -> list[Any]:
    """Lists what is joined: numbers of values, and arrays of constants."""
    args, kwargs = call.arguments
    given = args[0] if args else next(iter(kwargs.values()))
    return [
        call.values[one.index] if isinstance(one, Operand) else as_array(one)
        for one in (given if isinstance(given, (list, tuple)) else [given])
    ]


def _constant(call: Call, array: np.ndarray, axis: int) -> int:
    """Adds a constant that has the shape of a value but for an axis."""
    array = elementwise.of_examples(array, len(call.shapes[0]))
    return call.constant(array)
