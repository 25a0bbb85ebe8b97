"""Computes networks of `native.plan_graph` in NumPy, in double precision."""

import math

import numpy as np

from tests.native import plan_reference
from tests.native.plan_reference import OF_SEQUENCES


def run(graph, *inputs):
    """Computes the outputs of a graph for batches of its inputs."""
    values = {
        number: np.asarray(one, np.float64)
        for number, one in zip(graph.inputs, inputs, strict=True)
    }
    for one in graph.operations:
        assert one.output not in values
        read = [values[number] for number in one.inputs]
        shape = graph.shapes[one.output]
        if one.kind == "reshape":
            made = read[0].reshape(len(read[0]), *shape)
        elif one.kind == "constant":
            made = np.repeat(one.arrays["value"][np.newaxis], len(inputs[0]), 0)
        elif one.kind in OF_SEQUENCES:
            made = OF_SEQUENCES[one.kind](
                one.attributes, one.arrays, read, shape
            )
        else:
            made = RUN[one.kind](one, *read)
        assert made.shape[1:] == shape, one
        assert all(array.dtype == np.float32 for array in one.arrays.values())
        values[one.output] = made
    return [values[number] for number in graph.outputs]


def dense(one, x):
    return activated(one, x @ kernel(one) + bias(one))


def convolution(one, x, *added):
    size = kernel(one).shape[:-2]
    windows = windows_of(zero_padded(x, one), size, one)
    groups = one.attributes["groups"]
    parts = [
        np.tensordot(part, weights, len(size) + 1)
        for part, weights in zip(
            np.split(windows, groups, axis=-1),
            np.split(kernel(one), groups, axis=-1),
            strict=True,
        )
    ]
    return activated(one, sum(added, np.concatenate(parts, -1) + bias(one)))


def depthwise(one, x, *added):
    *size, channels, multiplier = kernel(one).shape
    windows = windows_of(zero_padded(x, one), size, one)
    flat = windows.reshape(*windows.shape[: -len(size) - 1], -1, channels)
    weights = kernel(one).reshape(-1, channels, multiplier)
    made = np.einsum("...sc,scm->...cm", flat, weights)
    made = made.reshape(*made.shape[:-2], channels * multiplier)
    return activated(one, sum(added, made + bias(one)))


def pool(one, x):
    size = one.attributes["size"]
    axes = tuple(range(-len(size) - 1, -1))
    if one.attributes["mode"] == "max":
        padded = zero_padded(x, one, -np.inf)
        return windows_of(padded, size, one).max(axes)
    sums = windows_of(zero_padded(x, one), size, one).sum(axes)
    counted = zero_padded(np.ones_like(x), one)
    return sums / windows_of(counted, size, one).sum(axes)


def global_pool(one, x):
    compute = {"max": np.max, "average": np.mean}[one.attributes["mode"]]
    axes = tuple(range(1, x.ndim - 1))
    return compute(x, axes, keepdims=one.attributes["keep_dimensions"])


def affine(one, x):
    return activated(one, one.arrays["scale"] * x + one.arrays["offset"])


def add(one, *values):
    return activated(one, sum(values))


def multiply(one, *values):
    return activated(one, math.prod(values))


def recurrence(one, x, *states):
    arrays = {name: array.astype(float) for name, array in one.arrays.items()}
    return plan_reference.recur(one.attributes, arrays, x, states)


def kernel(one):
    return one.arrays["kernel"].astype(np.float64)


def bias(one):
    return one.arrays.get("bias", np.float64(0))


def zero_padded(x, one, value=0.0):
    widths = [(0, 0), *one.attributes["padding"], (0, 0)]
    return np.pad(x, widths, constant_values=value)


def windows_of(x, size, one):
    """Views [batch, *places, *size, channels] of strided windows."""
    rank = len(size)
    strides = one.attributes["strides"]
    dilation = one.attributes.get("dilation", (1,) * rank)
    extents = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    views = np.lib.stride_tricks.sliding_window_view(
        x, extents, tuple(range(1, rank + 1))
    )
    # [batch, *places, channels, *extents]
    places = tuple(slice(None, None, stride) for stride in strides)
    inside = tuple(slice(None, None, step) for step in dilation)
    views = views[(slice(None), *places, slice(None), *inside)]
    return np.moveaxis(views, rank + 1, -1)


def activated(one, x):
    name = one.attributes["activation"]
    if name == "leaky_relu":
        return np.where(x > 0, x, one.attributes["negative_slope"] * x)
    assert "negative_slope" not in one.attributes
    return ACTIVATIONS[name](x)


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -700, None)))


def gelu(x):
    return x * (1 + np.vectorize(math.erf, [float])(x / math.sqrt(2))) / 2


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "sigmoid": sigmoid,
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "tanh": np.tanh,
    "swish": lambda x: x * sigmoid(x),
    "hard_swish": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "gelu": gelu,
    "gelu_tanh": lambda x: (
        x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
    ),
    "softmax": softmax,
}
RUN = {
    "dense": dense,
    "convolution": convolution,
    "depthwise": depthwise,
    "pool": pool,
    "global_pool": global_pool,
    "pad": lambda one, x: zero_padded(x, one),
    "affine": affine,
    "add": add,
    "multiply": multiply,
    "activation": activated,
    "recurrence": recurrence,
}
