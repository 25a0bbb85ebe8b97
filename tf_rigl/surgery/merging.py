"""Rules of layers and operations that combine tensors feature by feature."""

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Operand
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import at_all_positions
from tf_rigl.surgery.features import at_first_position
from tf_rigl.surgery.features import common
from tf_rigl.surgery.features import evaluate

# Computes an output [features] of the features of each tensor.
Compute = Callable[[list[np.ndarray]], np.ndarray]


def elementwise_merge(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Add, Maximum and the like, which tie their input channels."""
    return _merge(plans, call, _by_layer(call))


def product_merge(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Multiply, in which a zero channel makes a zero channel."""
    return _with_zeros(call, _merge(plans, call, _by_layer(call)))


def operation(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows a function of a tensor, of two, or of a tensor and numbers."""
    _check_numbers(call)
    if len(call.inputs) == 1:
        features = call.only_input()
        values = _by_operation(call)([features.constants])
        varies = np.isnan(features.constants)
        return _constant_unless(varies, features.channels, values)

    if len({len(shape) for shape in call.input_shapes}) != 1:
        raise Untrackable(f"inputs of the shapes {call.input_shapes}")
    return _merge(plans, call, _by_operation(call))


def product(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows `first * second`, in which a zero makes a zero."""
    return _with_zeros(call, operation(plans, call))


def concatenate(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Concatenate along the features or along another axis."""
    return concatenated(plans, call, call.layer.axis)


def concatenated(plans: ChannelAnalysis, call: Call, axis: Any) -> Features:
    """Follows tensors that are joined along an axis."""
    inputs = call.all_inputs()
    if not call.is_along_features(axis):
        channels = _tied(plans, call)
        constants = [features.constants for features in inputs]
        return Features(channels, common(constants))
    return Features(
        np.concatenate([features.channels for features in inputs]),
        np.concatenate([features.constants for features in inputs]),
    )


def _merge(plans: ChannelAnalysis, call: Call, compute: Compute) -> Features:
    """Ties the inputs; the result is constant where all of them are."""
    channels = _tied(plans, call)
    rows = _rows(call)
    varies = np.isnan(rows).any(axis=0)
    if varies.all():
        return Features(channels, np.full(len(channels), np.nan))
    return _constant_unless(varies, channels, compute(list(rows)))


def _constant_unless(
    varies: np.ndarray, channels: Channels, values: np.ndarray
) -> Features:
    """Returns the values as constants; no bias takes up one of infinity."""
    known = ~varies & np.isfinite(values)
    return Features(channels, np.where(known, values, np.nan))


def _with_zeros(call: Call, product_of: Features) -> Features:
    """Makes a product constant where one of its factors is zero.

    The other factor is finite, as all values of a network that works.
    """
    zero = (_rows(call) == 0).any(axis=0)
    constants = np.where(zero, 0.0, product_of.constants)
    return Features(product_of.channels, constants)


def _rows(call: Call) -> np.ndarray:
    """Returns the constants [inputs, features] of all inputs.

    A single feature counts for all of the others.
    """
    constants = [features.constants for features in call.all_inputs()]
    return np.stack(np.broadcast_arrays(*constants))


def _tied(plans: ChannelAnalysis, call: Call) -> Channels:
    """Ties the channels of all inputs and returns those of the result.

    An input of one feature belongs to all features of the others, such as a
    map of attention over positions.
    """
    inputs = call.all_inputs()
    sizes = {len(features.channels) for features in inputs}
    if len(inputs) < 2 or len(sizes - {1}) > 1:
        raise Untrackable(f"inputs of the shapes {call.input_shapes}")

    widest = max(sizes)
    wide = [one.channels for one in inputs if len(one.channels) == widest]
    for channels in wide[1:]:
        plans.graph.tie(channels, wide[0])

    for features in inputs:
        if len(features.channels) < widest:
            connected = np.ones((1, widest), bool)
            plans.graph.read(features.channels, wide[0], connected)
    return wide[0]


def _by_layer(call: Call) -> Compute:
    """Returns a function that calls a merging layer on constants."""
    rank = max(len(shape) for shape in call.input_shapes)
    return lambda rows: evaluate(call, rows, (1,) * (rank - 2))


def _by_operation(call: Call) -> Compute:
    """Returns a function that calls an operation on constants."""

    def compute(rows: list[np.ndarray]) -> np.ndarray:
        arrays = [
            at_all_positions(row, (1,) * (len(shape) - 2), call.axis)
            for row, shape in zip(rows, call.input_shapes, strict=True)
        ]
        args, kwargs = tf.nest.map_structure(
            lambda one: arrays[one.index] if isinstance(one, Operand) else one,
            call.arguments,
        )
        return at_first_position(call.layer(*args, **kwargs), call.axis)

    return compute


def _check_numbers(call: Call) -> None:
    """Raises an Untrackable if an argument is more than a number or option."""
    args, kwargs = call.arguments
    values = [*args, *kwargs.values()]
    if not hasattr(call.layer, "symbol"):
        # An operation of Keras 3 keeps some of its arguments.
        values += call.layer.get_config().values()
    many = [
        value
        for value in values
        if not isinstance(value, Operand) and not _is_single(value)
    ]
    if many:
        raise Untrackable(f"its arguments are {_shortened(many)}")


def _is_single(value: Any) -> bool:
    """Returns whether an argument is the same for all features."""
    if value is None or isinstance(value, (bool, int, float, str, tf.DType)):
        return True
    shape = getattr(value, "shape", None)
    return shape is not None and tuple(shape) in ((), (1,))


def _shortened(values: Sequence[Any]) -> str:
    """Returns the arguments as text, arrays by their shape."""
    return ", ".join(
        repr(value)
        if getattr(value, "shape", None) is None
        else f"an array of the shape {tuple(value.shape)}"
        for value in values
    )
