"""Rules of attention and of products of matrices."""

import math
from collections.abc import Mapping
from typing import Any

from tf_rigl.export.plan import masks
from tf_rigl.export.plan.calls import Call
from tf_rigl.export.plan.calls import Unsupported
from tf_rigl.export.plan.calls import as_array
from tf_rigl.surgery.features import Operand

_ARGUMENTS = ("query", "value", "key")
_ARGUMENTS_OF_FUNCTION = ("query", "key", "value", "bias", "mask")
_MASKS = ("query_mask", "value_mask", "key_mask")
_CAUSAL_ONLY = (
    "Plans have no masks but that of later positions: use_causal_mask=True."
)


def multi_head_attention(call: Call) -> int:
    """Reads MultiHeadAttention: four products, and attention between them."""
    layer = call.layer
    if tuple(layer._attention_axes) != (1,):
        raise Unsupported(
            f"its attention_axes are {layer._attention_axes}",
            "Attend over the only dimension in space.",
        )
    heads = layer._num_heads
    return _attention(call, heads, heads, layer._key_dim)


def grouped_query_attention(call: Call) -> int:
    """Reads GroupQueryAttention, whose heads share keys and values."""
    layer = call.layer
    heads, key_heads = layer.num_query_heads, layer.num_key_value_heads
    return _attention(call, heads, key_heads, layer.head_dim)


def dot_product_attention(call: Call) -> int:
    """Reads `dot_product_attention` of `[positions, heads, size]`."""
    names = (*_ARGUMENTS_OF_FUNCTION, "scale", "is_causal")
    args, kwargs = call.arguments
    given = dict(zip(names, args, strict=False)) | dict(kwargs)
    if given.get("bias") is not None or given.get("mask") is not None:
        raise Unsupported("it has a mask or a bias", _CAUSAL_ONLY)
    values = [_operand(call, given[name]) for name in ("query", "key", "value")]
    shapes = [call.network.shapes[value] for value in values]
    if {len(shape) for shape in shapes} != {3}:
        raise Unsupported(f"its inputs have the shapes {shapes}")
    flat = [
        call.reshape(value, (positions, heads * size))
        for value, (positions, heads, size) in zip(values, shapes, strict=True)
    ]
    queries, keys, _ = shapes
    scale = given.get("scale")
    made = _attend(
        call,
        flat,
        queries[1],
        keys[1],
        1 / math.sqrt(queries[2]) if scale is None else float(scale),
        bool(call.argument("is_causal", len(names) - 1, False)),
    )
    return call.reshape(made, (*queries[:2], shapes[2][2]))


def einsum_dense(call: Call) -> int:
    """Reads EinsumDense that is a product of the last dimensions."""
    layer, value = call.layer, call.only()
    inputs, kernel, outputs = _letters(layer.equation)
    count = len([one for one in kernel if one in inputs])
    before, made = inputs[:-count], kernel[count:]
    shape = call.network.shapes[value]
    fits = (
        0 < count < len(inputs)
        and (before + kernel[:count], before + made) == (inputs, outputs)
        and len(inputs) == len(shape) + 1
    )
    if not fits:
        raise Unsupported(
            f"its equation is {layer.equation!r}",
            "Plans have products of the last dimensions.",
        )
    joined = (*shape[:-count], math.prod(shape[-count:]))
    value = _projected(call, call.reshape(value, joined), layer, count)
    value = call.reshape(value, (*shape[:-count], *layer.kernel.shape[count:]))
    function = layer.activation
    return value if function is None else call.activate(value, function)


def matrix_product(call: Call) -> int:
    """Reads a product of matrices, one of which may be a constant."""
    args, kwargs = call.arguments
    given = [*args, *(kwargs[one] for one in ("x2", "b") if one in kwargs)]
    flags = {key: one for key, one in kwargs.items() if one is True}
    if len(given) < 2 or not isinstance(given[0], Operand) or any(given[2:]):
        raise Unsupported("its first matrix is a constant")
    value = call.values[given[0].index]
    if isinstance(given[1], Operand):
        other = call.values[given[1].index]
        return _product_of_two(call, value, other, flags)
    matrix = as_array(given[1])
    if matrix.ndim != 2 or flags:
        raise Unsupported("it is no product with a constant matrix")
    return call.product(value, matrix)


def _product_of_two(
    call: Call, first: int, second: int, flags: Mapping[str, Any]
) -> int:
    is_transposed = flags.get("transpose_b", False)
    shape, other = (call.network.shapes[one] for one in (first, second))
    if set(flags) - {"transpose_b"} or len(shape) < 2:
        raise Unsupported("it is no product of rows and columns")
    if shape[:-2] != other[:-2]:
        raise Unsupported(
            f"it multiplies matrices {shape} and {other}",
            "Make as many of each.",
        )
    columns = other[-2] if is_transposed else other[-1]
    return call.add(
        "matrix_product",
        [first, second],
        (*shape[:-1], columns),
        {"is_transposed": is_transposed},
    )


def _attention(call: Call, heads: int, key_heads: int, size: int) -> int:
    """Adds the steps of a layer of attention."""
    layer = call.layer
    for name, default in (("use_gate", False), ("sliding_window", None)):
        found = getattr(layer, f"_{name}", getattr(layer, name, default))
        if found != default:
            raise Unsupported(
                f"it has {name}={found}", f"Use {name}={default}."
            )
    values, is_causal = _operands(call)
    shapes = [call.network.shapes[value] for value in values]
    if {len(shape) for shape in shapes} != {2}:
        raise Unsupported(
            f"its inputs have the shapes {shapes}",
            "Plans have attention of [positions, channels].",
        )
    projected = [
        _projected(call, value, dense, 1)
        for value, dense in zip(
            values,
            (layer._query_dense, layer._key_dense, layer._value_dense),
            strict=True,
        )
    ]
    made = _attend(
        call, projected, heads, key_heads, 1 / math.sqrt(size), is_causal
    )
    dense = layer._output_dense
    value = _projected(call, made, dense, 2)
    return call.reshape(value, (shapes[0][0], *dense.kernel.shape[2:]))


def _attend(
    call: Call,
    values: list[int],
    heads: int,
    key_heads: int,
    scale: float,
    is_causal: bool,
) -> int:
    """Adds attention of queries, keys and values, heads side by side."""
    shapes = [call.network.shapes[value] for value in values]
    size = shapes[2][-1] // key_heads
    return call.add(
        "attention",
        values,
        (shapes[0][0], heads * size),
        {
            "heads": heads,
            "key_heads": key_heads,
            "scale": scale,
            "is_causal": is_causal,
        },
    )


def _operands(call: Call) -> tuple[list[int], bool]:
    """Returns queries, keys and values, and whether later keys are hidden."""
    args, kwargs = call.arguments
    given = dict(zip(_ARGUMENTS, args, strict=False)) | dict(kwargs)
    if given.get("attention_mask") is not None or args[3:]:
        raise Unsupported("it has an attention_mask", _CAUSAL_ONLY)
    if any(given.get(name) is not None for name in _MASKS):
        raise Unsupported(*masks.REFUSED)
    if given.get("return_attention_scores"):
        raise Unsupported(
            "it returns its scores", "Leave out return_attention_scores."
        )
    query, value = given["query"], given["value"]
    key = given.get("key")
    chosen = (query, value if key is None else key, value)
    values = [_operand(call, one) for one in chosen]
    return values, bool(given.get("use_causal_mask"))


def _operand(call: Call, argument: Any) -> int:
    """Returns the number of a value that is an argument, or a constant's."""
    if isinstance(argument, Operand):
        return call.values[argument.index]
    array = as_array(argument)
    if array.ndim < 2 or len(array) != 1:
        raise Unsupported(
            f"it attends to a constant of the shape {array.shape}",
            "Use the same for all examples of a batch.",
        )
    return call.constant(array[0])


def _projected(call: Call, value: int, layer: Any, inputs: int) -> int:
    """Adds the product of an EinsumDense; dimensions of outputs become one.

    So many dimensions of its kernel are inputs, which are one in the value.
    """
    part = call.of(layer)
    kernel = part.array("kernel")
    rows = math.prod(kernel.shape[:inputs])
    bias = None
    if layer.bias is not None:
        bias = part.array("bias")
        if bias.size != kernel.size // rows:
            raise Unsupported(
                f"its bias_axes are {layer.bias_axes!r}",
                "Use a bias for each output.",
            )
        bias = bias.ravel()
    return call.product(value, kernel.reshape(rows, -1), bias)


def _letters(equation: str) -> tuple[str, str, str]:
    """Returns the letters of inputs, kernel and outputs, all dimensions named.

    Dots stand for the first dimension: plans have no more before the others.
    """
    left, _, outputs = (
        equation.replace(" ", "").replace("...", "*").partition("->")
    )
    inputs, _, kernel = left.partition(",")
    return inputs, kernel, outputs
