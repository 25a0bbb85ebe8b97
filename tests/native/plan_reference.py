"""What plans must compute, in float64 NumPy, one element after the other."""

import functools
import math

import numpy as np

from tf_rigl.native.plan_graph import Graph

_ERF = np.vectorize(math.erf, otypes=[float])


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def activate(name, x, slope=0.0):
    six = np.clip(x + 3, 0, 6) / 6
    functions = {
        "linear": lambda: x,
        "relu": lambda: np.maximum(x, 0),
        "relu6": lambda: np.clip(x, 0, 6),
        "leaky_relu": lambda: np.where(x > 0, x, slope * x),
        "elu": lambda: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        "sigmoid": lambda: _sigmoid(x),
        "hard_sigmoid": lambda: six,
        "tanh": lambda: np.tanh(x),
        "swish": lambda: x * _sigmoid(x),
        "hard_swish": lambda: x * six,
        "gelu": lambda: 0.5 * x * (1 + _ERF(x / np.sqrt(2))),
        "gelu_tanh": lambda: (
            0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        ),
        "softmax": lambda: _softmax(x),
    }
    return functions[name]()


def _windows(x, size, strides, padding, dilation, fill):
    """Yields, for each output in space, its index and window."""
    pad = [(0, 0), *padding, (0, 0)]
    padded = np.pad(x, pad, constant_values=fill)
    counts = [
        (length - (k - 1) * d - 1) // s + 1
        for length, k, s, d in zip(
            padded.shape[1:-1], size, strides, dilation, strict=True
        )
    ]
    for index in np.ndindex(*counts):
        cut = tuple(
            slice(i * s, i * s + (k - 1) * d + 1, d)
            for i, s, k, d in zip(index, strides, size, dilation, strict=True)
        )
        yield index, counts, padded[(slice(None), *cut)]


def _convolve(x, kernel, groups, strides, padding, dilation):
    size = kernel.shape[:-2]
    outputs = kernel.shape[-1]
    result = None
    axes = list(range(1, len(size) + 2))
    channels = kernel.shape[-2]
    for index, counts, window in _windows(
        x, size, strides, padding, dilation, 0
    ):
        if result is None:
            result = np.zeros((len(x), *counts, outputs))
        for group in range(groups):
            of = slice(
                group * outputs // groups, (group + 1) * outputs // groups
            )
            part = window[..., group * channels : (group + 1) * channels]
            result[(slice(None), *index, of)] = np.tensordot(
                part, kernel[..., of], (axes, list(range(len(axes))))
            )
    return result


def _concatenate(given, _, inputs, __):
    return np.concatenate(inputs, given.get("axis", -2) + 1)


def _normalize(given, arrays, inputs, _):
    (x,) = inputs
    if given["is_centered"]:
        x = x - x.mean(-1, keepdims=True)
    variance = (x**2).mean(-1, keepdims=True)
    x = x / np.sqrt(variance + given["epsilon"])
    return x * arrays.get("scale", 1) + arrays.get("offset", 0)


def _transpose(given, _, inputs, __):
    return inputs[0].transpose(0, *(axis + 1 for axis in given["order"]))


def _slice(given, _, inputs, output_shape):
    cut = tuple(
        slice(start, start + (count - 1) * stride + 1, stride)
        for start, stride, count in zip(
            given["starts"], given["strides"], output_shape[:-1], strict=True
        )
    )
    return inputs[0][(slice(None), *cut)]


def _embedding(_, arrays, inputs, __):
    return arrays["table"][inputs[0].astype(int)]


def _attention(given, _, inputs, __):
    counts = given["heads"], given["key_heads"], given["key_heads"]
    q, k, v = (
        x.reshape(*x.shape[:-1], count, -1)
        for x, count in zip(inputs, counts, strict=True)
    )
    together = given["heads"] // given["key_heads"]
    k, v = k.repeat(together, 2), v.repeat(together, 2)
    scores = np.einsum("bqhd,bkhd->bhqk", q, k) * given["scale"]
    if given["is_causal"]:
        n, m = scores.shape[-2:]
        later = np.arange(m) > np.arange(n)[:, np.newaxis]
        scores = np.where(later, -np.inf, scores)
    y = np.einsum("bhqk,bkhd->bqhd", _softmax(scores), v)
    return y.reshape(*y.shape[:2], -1)


def _matrix_product(given, _, inputs, __):
    first, second = inputs
    return first @ (
        second.swapaxes(-1, -2) if given["is_transposed"] else second
    )


OF_SEQUENCES = {
    "concatenate": _concatenate,
    "normalize": _normalize,
    "transpose": _transpose,
    "slice": _slice,
    "embedding": _embedding,
    "attention": _attention,
    "matrix_product": _matrix_product,
}


def _gate(function, x):
    name, slope, scale, offset, factor = function
    return factor * activate(name, scale * x + offset, slope)


def recur(given, arrays, x, states):
    """One step after the other, as the equations of a cell are written."""
    kernel = arrays["kernel"]
    units = len(kernel)
    bias = arrays.get("bias", np.zeros(kernel.shape[1]))
    cell, direction = given["cell"], given["direction"]
    gate = functools.partial(_gate, given["gate"])
    candidate = functools.partial(_gate, given["candidate"])
    h, c = states if len(states) == 2 else [*states, *np.zeros((2, 1, 1))][:2]
    h, c = (np.broadcast_to(one, (len(x), units)) for one in (h, c))

    made = np.zeros((*x.shape[:2], units))
    order = range(x.shape[1])
    for place in order if direction == "forward" else reversed(order):
        if cell == "gru_reset_first":
            first = slice(2 * units)
            total = x[:, place].copy()
            total[:, first] += h @ kernel[:, first] + bias[first]
            z, r, last = np.split(total, 3, 1)
            third = slice(2 * units, None)
            last = last + (gate(r) * h) @ kernel[:, third] + bias[third]
            h = gate(z) * h + (1 - gate(z)) * candidate(last)
        elif cell == "gru":
            of_x = np.split(x[:, place], 3, 1)
            of_h = np.split(h @ kernel + bias, 3, 1)
            z, r = (gate(of_x[i] + of_h[i]) for i in (0, 1))
            h = z * h + (1 - z) * candidate(of_x[2] + r * of_h[2])
        elif cell == "lstm":
            i, f, g, o = np.split(x[:, place] + h @ kernel + bias, 4, 1)
            c = gate(f) * c + gate(i) * candidate(g)
            h = gate(o) * candidate(c)
        else:
            h = candidate(x[:, place] + h @ kernel + bias)
        made[:, place] = h
    if direction == "backward":
        made = made[:, ::-1]
    states = np.concatenate([h, c], 1) if cell == "lstm" else h
    return {"sequence": made, "last": h, "states": states}[given["returns"]]


def _step(operation, inputs, output_shape):
    x = inputs[0]
    given = operation.attributes
    arrays = {k: np.float64(v) for k, v in operation.arrays.items()}
    kind = operation.kind
    space = x.ndim - 2
    ones = (1,) * space
    if kind == "dense":
        y = x @ arrays["kernel"] + arrays.get("bias", 0)
    elif kind in ("convolution", "depthwise"):
        kernel, groups = arrays["kernel"], given.get("groups", 1)
        if kind == "depthwise":
            groups = x.shape[-1]
            kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
        y = _convolve(
            x,
            kernel,
            groups,
            given.get("strides", ones),
            given["padding"],
            given.get("dilation", ones),
        )
        y = y + arrays.get("bias", 0)
        if len(inputs) == 2:
            y = y + inputs[1]
    elif kind == "pool":
        y = np.zeros((len(x), *output_shape))
        reduce = {"max": np.nanmax, "average": np.nanmean}[given["mode"]]
        for index, _, window in _windows(
            x, given["size"], given["strides"], given["padding"], ones, np.nan
        ):
            y[(slice(None), *index)] = reduce(
                window, axis=tuple(range(1, space + 1))
            )
    elif kind == "global_pool":
        axes = tuple(range(1, space + 1))
        y = x.max(axes) if given["mode"] == "max" else x.mean(axes)
    elif kind == "pad":
        y = np.pad(x, [(0, 0), *given["padding"], (0, 0)])
    elif kind == "affine":
        y = x * arrays["scale"] + arrays["offset"]
    elif kind == "add":
        y = sum(inputs)
    elif kind == "multiply":
        y = math.prod(inputs)
    elif kind in OF_SEQUENCES:
        y = OF_SEQUENCES[kind](given, arrays, inputs, output_shape)
    elif kind == "recurrence":
        y = recur(given, arrays, x, inputs[1:])
    else:
        y = x
    y = (
        np.broadcast_to(y, (len(x), *output_shape))
        if kind
        in (
            "add",
            "multiply",
        )
        else y.reshape(len(x), *output_shape)
    )
    name = given.get("activation", "linear")
    return activate(name, y, given.get("negative_slope", 0.0))


def run(graph: Graph, *inputs: np.ndarray) -> list[np.ndarray]:
    """Returns the outputs [batch, ...] in float64."""
    values = {
        value: np.asarray(x, np.float64)
        for value, x in zip(graph.inputs, inputs, strict=True)
    }
    batch = len(inputs[0])
    for one in graph.operations:
        if one.kind == "constant":
            value = np.float64(one.arrays["value"])
            values[one.output] = np.repeat(value[np.newaxis], batch, 0)
            continue
        values[one.output] = _step(
            one, [values[i] for i in one.inputs], graph.shapes[one.output]
        )
    return [values[value] for value in graph.outputs]
