"""Rules of layers that treat elements or channels by themselves."""

from typing import Any

import numpy as np

from tf_rigl.export.plan.calls import Call
from tf_rigl.export.plan.calls import Unsupported
from tf_rigl.export.plan.calls import as_array


def identity(call: Call) -> int:
    """Reads layers that do nothing at inference."""
    return call.only()


def activation(call: Call) -> int:
    """Reads Activation."""
    return call.activate(call.only(), call.layer.activation)


def function(call: Call) -> int:
    """Reads layers and operations that are activation functions."""
    return call.activate(call.only(), _named(call))


def softmax(call: Call) -> int:
    """Reads Softmax, over the last dimension only."""
    axis = call.argument("axis", 1, -1)
    axis = -1 if axis is None else axis
    rank = len(call.shapes[0]) + 1
    if [int(one) % rank for one in np.ravel(axis)] != [rank - 1]:
        raise Unsupported(
            f"its axis is {axis}", "Use softmax over the last dimension."
        )
    return function(call)


def batch_normalization(call: Call) -> int:
    """Reads BatchNormalization as the scale and offset that it is."""
    layer = call.layer
    rank = len(call.shapes[0])
    axis = np.ravel(layer.axis)
    if [int(one) % (rank + 1) for one in axis] != [rank]:
        raise Unsupported(
            f"its axis is {layer.axis}",
            "Normalize the last dimension, axis=-1.",
        )
    mean = call.array("moving_mean")
    scale = 1 / np.sqrt(call.array("moving_variance") + layer.epsilon)
    if layer.scale:
        scale = scale * call.array("gamma")
    offset = call.array("beta") if layer.center else 0.0
    return call.affine(call.only(), scale, offset - mean * scale)


def normalization(call: Call) -> int:
    """Reads Normalization by means and variances of channels."""
    layer = call.layer
    if layer.mean is None or layer.variance is None:
        raise Unsupported("it is not adapted", "Call its `adapt` first.")
    mean, variance = (
        _of_channels(call, as_array(one))
        for one in (layer.mean, layer.variance)
    )
    deviation = np.maximum(
        np.sqrt(variance), call.flavor.keras.backend.epsilon()
    )
    if getattr(layer, "invert", False):
        return call.affine(call.only(), deviation, mean)
    return call.affine(call.only(), 1 / deviation, -mean / deviation)


def rescaling(call: Call) -> int:
    """Reads Rescaling by numbers, or by one for each channel."""
    scale, offset = (
        _of_channels(call, as_array(one))
        for one in (call.layer.scale, call.layer.offset)
    )
    return call.affine(call.only(), scale, offset)


def scaled_sum(call: Call) -> int:
    """Reads CustomScaleLayer of Keras 3's Inception-ResNet."""
    first, second = call.values
    second = call.affine(second, call.layer.scale)
    return _merged(call, "add", [first, second])


def addition(call: Call) -> int:
    """Reads Add."""
    return _merged(call, "add", list(call.values))


def multiplication(call: Call) -> int:
    """Reads Multiply."""
    return _merged(call, "multiply", list(call.values))


def subtraction(call: Call) -> int:
    """Reads Subtract, as a sum with the negative."""
    first, second = call.values
    return _merged(call, "add", [first, call.affine(second, -1)])


def average(call: Call) -> int:
    """Reads Average, as a scaled sum."""
    value = _merged(call, "add", list(call.values))
    return call.affine(value, 1 / len(call.values))


def sum_of(call: Call) -> int:
    """Reads `x + y` of two tensors, or of a tensor and constants."""
    first, second = operands(call)
    if isinstance(first, int) and isinstance(second, int):
        return _merged(call, "add", [first, second])
    return _with_constant(call, "add", *_value_first(first, second))


def difference_of(call: Call) -> int:
    """Reads `x - y` of two tensors, or of a tensor and constants."""
    first, second = operands(call)
    if isinstance(first, int) and isinstance(second, int):
        return _merged(call, "add", [first, call.affine(second, -1)])
    value, constant = _value_first(first, second)
    if value is first:
        return _with_constant(call, "add", value, -constant)
    return _with_constant(call, "add", call.affine(value, -1), constant)


def product_of(call: Call) -> int:
    """Reads `x * y` of two tensors, or of a tensor and constants."""
    first, second = operands(call)
    if isinstance(first, int) and isinstance(second, int):
        return _merged(call, "multiply", [first, second])
    return _with_constant(call, "multiply", *_value_first(first, second))


def quotient_of(call: Call) -> int:
    """Reads `x / c` of a tensor and constants."""
    first, second = operands(call)
    if not isinstance(first, int) or isinstance(second, int):
        raise Unsupported("it divides by what is computed")
    return _with_constant(call, "multiply", first, 1 / second)


def negative(call: Call) -> int:
    """Reads `-x`."""
    return call.affine(call.only(), -1)


def operands(call: Call) -> tuple[Any, Any]:
    """Returns both operands: numbers of values, float64 arrays of constants."""
    args, kwargs = call.arguments
    names = ("x1", "x2", "x", "y", "value", "bias")  # of either Keras
    given = [*args, *(kwargs[name] for name in names if name in kwargs)]
    if len(given) != 2:
        raise Unsupported(f"it is called on {len(given)} operands")
    first, second = (
        call.values[one.index] if hasattr(one, "index") else as_array(one)
        for one in given
    )
    return first, second


def _value_first(first: Any, second: Any) -> tuple[int, np.ndarray]:
    return (first, second) if isinstance(first, int) else (second, first)


def _with_constant(
    call: Call, kind: str, value: int, constant: np.ndarray
) -> int:
    """Adds a constant to a value, or multiplies by it.

    One that is the same at all positions may become part of a kernel.
    """
    shape = call.network.shapes[value]
    constant = of_examples(constant, len(shape))
    is_number = bool(constant.size and (constant == constant.flat[0]).all())
    is_alike = is_number or set(constant.shape[:-1]) <= {1}
    if not is_alike or np.broadcast_shapes(constant.shape, shape) != shape:
        return _merged(call, kind, [value, call.constant(constant)])
    factors = constant.astype(np.float64).reshape(-1, constant.shape[-1])[0]
    if kind == "add":
        return call.affine(value, 1, factors)
    return call.affine(value, factors)


def of_examples(constant: np.ndarray, rank: int) -> np.ndarray:
    """Returns a constant for each example, with as many dimensions as values.

    Raises:
        Unsupported: if it differs between the examples of a batch.
    """
    if constant.ndim > rank:
        if constant.ndim > rank + 1 or len(constant) != 1:
            raise Unsupported(
                f"its constants have the shape {constant.shape}",
                "Use the same for all examples of a batch.",
            )
        constant = constant[0]
    return constant[(np.newaxis,) * (rank - constant.ndim)]


def _merged(call: Call, kind: str, values: list[int]) -> int:
    """Adds a sum or product; sizes of 1 count for all others.

    Where ranks differ, dimensions of 1 come behind the batch, as in Keras's
    layers.
    """
    shapes = [call.network.shapes[value] for value in values]
    rank = max(map(len, shapes))
    if len({*map(len, shapes)}) > 1:
        if not hasattr(call.layer, "weights") or hasattr(call.layer, "symbol"):
            raise Unsupported("its operands have different ranks")
        shapes = [(1,) * (rank - len(one)) + one for one in shapes]
        values = [
            value
            if call.network.shapes[value] == shape
            else call.add("reshape", [value], shape)
            for value, shape in zip(values, shapes, strict=True)
        ]
    return call.add(kind, values, np.broadcast_shapes(*shapes))


def _of_channels(call: Call, constant: np.ndarray) -> np.ndarray:
    """Returns a constant as float64 [channels].

    Raises:
        Unsupported: if it differs between positions.
    """
    channels = call.shapes[0][-1]
    constant = constant.astype(np.float64)
    if constant.size and (constant == constant.flat[0]).all():
        return np.full(channels, constant.flat[0])
    if constant.size != channels or constant.shape[-1] != channels:
        raise Unsupported(
            f"its constants of the shape {constant.shape} are not one for each "
            "channel",
            "Use a number, or one for each channel of the last dimension.",
        )
    return constant.reshape(channels)


def _named(call: Call) -> Any:
    """Returns the function that a call applies, with a name for messages."""

    def apply(tensor: Any) -> Any:
        return call.evaluate(tensor)

    apply.__name__ = getattr(call.layer, "symbol", flavor_name(call.layer))
    return apply


def flavor_name(layer: Any) -> str:
    """Returns the name of the class that a layer had from its Keras."""
    return str(
        getattr(type(layer), "_tf_rigl_plain_class", type(layer)).__name__
    )
