"""Rules of dense layers, convolutions and pooling."""

import math
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_rigl.export.plan.calls import Call
from tf_rigl.export.plan.calls import Unsupported

Padding = tuple[tuple[int, int], ...]


class _Geometry(NamedTuple):
    """What a convolution layer says of its windows."""

    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]
    padding: str


def dense(call: Call) -> int:
    """Reads Dense, of the last dimension whatever is before it."""
    shape = call.network.shapes[call.only()]
    kernel = call.array("kernel")
    value = call.add(
        "dense",
        call.values,
        (*shape[:-1], kernel.shape[-1]),
        {},
        {"kernel": kernel, **_bias(call)},
    )
    return _activated(call, value)


def convolution(call: Call) -> int:
    """Reads Conv1D and Conv2D, with groups, strides or dilation."""
    call.image()
    kernel = call.array("kernel")
    value = convolve(call, call.only(), kernel, _bias(call))
    return _activated(call, value)


def depthwise_convolution(call: Call) -> int:
    """Reads DepthwiseConv1D and DepthwiseConv2D."""
    call.image()
    # Keras 2 has another name for it.
    names = ("depthwise_kernel", "kernel")
    name = next(one for one in names if hasattr(call.layer, one))
    value = _depthwise(call, call.array(name), _bias(call))
    return _activated(call, value)


def separable_convolution(call: Call) -> int:
    """Reads SeparableConv1D and SeparableConv2D, as two steps."""
    call.image()
    value = _depthwise(call, call.array("depthwise_kernel"), {})
    pointwise = call.array("pointwise_kernel")
    shape = (*call.network.shapes[value][:-1], pointwise.shape[-1])
    rank = len(shape) - 1
    value = call.add(
        "convolution",
        [value],
        shape,
        {
            "strides": (1,) * rank,
            "padding": ((0, 0),) * rank,
            "dilation": (1,) * rank,
            "groups": 1,
        },
        {"kernel": pointwise, **_bias(call)},
    )
    return _activated(call, value)


def convolve(
    call: Call, value: int, kernel: np.ndarray, bias: dict[str, np.ndarray]
) -> int:
    """Adds a convolution with the strides and padding of the call's layer.

    One whose groups have a single channel is depthwise.
    """
    layer, shape = call.layer, call.network.shapes[value]
    *size, channels, outputs = kernel.shape
    groups = shape[-1] // channels
    if groups > 1 and channels == 1:
        return _depthwise(
            call, kernel.reshape(*size, groups, outputs // groups), bias
        )
    geometry = _geometry(shape, size, layer)
    return call.add(
        "convolution",
        [value],
        (*after(shape, size, **geometry), outputs),
        {**geometry, "groups": groups},
        {"kernel": kernel, **bias},
    )


def pooling(call: Call) -> int:
    """Reads MaxPooling and AveragePooling of one or two dimensions."""
    shape, layer = call.image(), call.layer
    size = _numbers(layer.pool_size, len(shape) - 1)
    geometry = _geometry(shape, size, layer)
    del geometry["dilation"]
    mode = "max" if "Max" in type(layer).__name__ else "average"
    return call.add(
        "pool",
        call.values,
        (*after(shape, size, **geometry), shape[-1]),
        {"mode": mode, "size": tuple(size), **geometry},
    )


def global_pooling(call: Call) -> int:
    """Reads GlobalMaxPooling and GlobalAveragePooling."""
    call.image()
    mode = "max" if "Max" in type(call.layer).__name__ else "average"
    return pool_all(call, mode, bool(call.layer.keepdims))


def pool_all(call: Call, mode: str, keep_dimensions: bool) -> int:
    """Adds the extreme or the mean of all positions of an image."""
    *space, channels = call.image()
    kept = (1,) * len(space) if keep_dimensions else ()
    return call.add(
        "global_pool",
        call.values,
        (*kept, channels),
        {"mode": mode, "keep_dimensions": keep_dimensions},
    )


def zero_padding(call: Call) -> int:
    """Reads ZeroPadding1D and ZeroPadding2D."""
    call.image()
    pairs = np.reshape(call.layer.padding, (-1, 2)).tolist()
    return pad(call, tuple((int(one), int(other)) for one, other in pairs))


def cropping(call: Call) -> int:
    """Reads Cropping1D and Cropping2D.

    What was padded is cropped by a depthwise kernel with a single one, since
    that pads as well.
    """
    *space, channels = call.image()
    pairs = np.reshape(call.layer.cropping, (-1, 2)).astype(int)
    size = (pairs.sum(axis=1) + 1).tolist()
    kept = after(call.image(), size, (1,) * len(space), ((0, 0),) * len(space))
    maker = call.network.makers().get(call.only())
    if maker is None or maker.kind != "pad":
        starts = tuple(pairs[:, 0].tolist())
        attributes = {"starts": starts, "strides": (1,) * len(space)}
        return call.add("slice", call.values, (*kept, channels), attributes)
    inner = maker.attributes["padding"]
    if any(
        first + count <= before or first >= length - behind
        for first, count, length, (before, behind) in zip(
            pairs[:, 0], kept, space, inner, strict=True
        )
    ):
        return call.constant(np.zeros((*kept, channels)))
    kernel = np.zeros((*size, channels, 1), np.float32)
    kernel[tuple(pairs[:, 0])] = 1
    rank = len(space)
    geometry: dict[str, Any] = {
        "strides": (1,) * rank,
        "padding": ((0, 0),) * rank,
        "dilation": (1,) * rank,
    }
    return call.add(
        "depthwise",
        call.values,
        (*kept, channels),
        geometry,
        {"kernel": kernel},
    )


def patches(call: Call) -> int:
    """Reads `extract_patches`, as a convolution with a one for each output."""
    *_, channels = call.image()
    if hasattr(call.layer, "symbol"):
        ksizes, strides, rates, padding = (
            call.argument(name, place)
            for place, name in enumerate(
                ("sizes", "strides", "rates", "padding"), 1
            )
        )
        size, strides, dilation = ksizes[1:3], strides[1:3], rates[1:3]
    else:
        size = _numbers(call.layer.size, 2)
        strides = _numbers(call.layer.strides or size, 2)
        dilation = _numbers(call.layer.dilation_rate, 2)
        padding = call.layer.padding
    outputs = math.prod(size) * channels
    geometry = _Geometry(tuple(strides), tuple(dilation), padding.lower())
    kernel = np.eye(outputs, dtype=np.float32)
    return convolve(
        call.of(geometry),
        call.only(),
        kernel.reshape(*size, channels, outputs),
        {},
    )


def pad(call: Call, padding: Padding) -> int:
    """Adds zeros around an image."""
    *space, channels = call.image()
    grown = [
        size + sum(pair) for size, pair in zip(space, padding, strict=True)
    ]
    return call.add(
        "pad", call.values, (*grown, channels), {"padding": padding}
    )


def after(
    shape: Sequence[int],
    size: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    dilation: Sequence[int] | None = None,
) -> tuple[int, ...]:
    """Returns the size in space of what windows over an image make."""
    dilation = dilation or (1,) * len(size)
    sizes = zip(shape[:-1], size, strides, padding, dilation, strict=True)
    made = tuple(
        (length + sum(pair) - _extent(window, step)) // stride + 1
        for length, window, stride, pair, step in sizes
    )
    if min(made) < 1:
        raise Unsupported(
            f"its windows of {tuple(size)} do not fit into images of "
            f"{tuple(shape[:-1])}",
            "Export larger images.",
        )
    return made


def _depthwise(
    call: Call, kernel: np.ndarray, bias: dict[str, np.ndarray]
) -> int:
    """Adds a depthwise convolution; kernel [*size, channels, multiplier]."""
    shape = call.network.shapes[call.only()]
    *size, channels, multiplier = kernel.shape
    geometry = _geometry(shape, size, call.layer)
    return call.add(
        "depthwise",
        call.values,
        (*after(shape, size, **geometry), channels * multiplier),
        geometry,
        {"kernel": kernel, **bias},
    )


def _geometry(
    shape: Sequence[int], size: Sequence[int], layer: Any
) -> dict[str, Any]:
    """Returns strides, dilation and padding of a layer for inputs of a shape.

    The `"same"` of TensorFlow puts the larger half of the padding behind; how
    much there is depends on the size of the image.
    """
    rank = len(size)
    strides = _numbers(layer.strides, rank)
    dilation = _numbers(getattr(layer, "dilation_rate", 1), rank)

    padding: list[tuple[int, int]] = []
    for length, window, stride, step in zip(
        shape[:-1], size, strides, dilation, strict=True
    ):
        extent = _extent(window, step)
        if layer.padding == "valid":
            padding.append((0, 0))
        elif layer.padding == "causal":
            padding.append((extent - 1, 0))
        else:
            total = (-(-length // stride) - 1) * stride + extent - length
            total = max(total, 0)
            padding.append((total // 2, total - total // 2))
    return {
        "strides": strides,
        "padding": tuple(padding),
        "dilation": dilation,
    }


def _extent(window: int, dilation: int) -> int:
    """Returns the number of positions from the first to the last."""
    return (window - 1) * dilation + 1


def _numbers(value: Any, rank: int) -> tuple[int, ...]:
    """Returns a number for each dimension in space.

    Keras 2 has two for depthwise convolutions of one dimension.
    """
    numbers = np.ravel(value).astype(int).tolist()
    return tuple((numbers * rank)[-rank:])


def _bias(call: Call) -> dict[str, np.ndarray]:
    if not call.layer.use_bias:
        return {}
    return {"bias": call.array("bias")}


def _activated(call: Call, value: int) -> int:
    function = call.layer.activation
    return value if function is None else call.activate(value, function)
