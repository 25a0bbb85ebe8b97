"""Random attention and products of values for plans."""

import math

import numpy as np

# Of an example, which its reference holds at once in double precision.
MOST_SCORES = 10_000


def add_attention(network):
    """Of sequences that are products of values, some of one position."""
    key_heads = network.integer(1, 3)
    heads = key_heads * network.choose(1, 1, 2)
    size, other = network.integer(1, 20), network.integer(1, 20)
    queries, keys = (sequence(network) for _ in range(2))
    if network.shapes[queries][0] * network.shapes[keys][0] > MOST_SCORES:
        return network.normalize()
    if network.random.random() < 0.5:
        keys = queries
    inputs = [
        project(network, value, width)
        for value, width in (
            (queries, heads * size),
            (keys, key_heads * size),
            (keys, key_heads * other),
        )
    ]
    given = {
        "heads": heads,
        "key_heads": key_heads,
        "scale": 1 / math.sqrt(size),
        "is_causal": bool(network.random.random() < 0.5),
    }
    shape = (network.shapes[queries][0], heads * other)
    return network.add("attention", inputs, shape, given)


def sequence(network):
    value = network.value()
    *space, channels = network.shapes[value]
    if len(space) == 1:
        return value
    shape = (math.prod(space), channels)
    return network.add("reshape", (value,), shape)


def project(network, value, width):
    *space, channels = network.shapes[value]
    kernel = network.random.normal(size=(channels, width)) / channels**0.5
    arrays = {"kernel": kernel.astype(np.float32)}
    return network.add("dense", (value,), (*space, width), {}, arrays)


def add_matrix_product(network):
    value = network.value()
    if len(network.shapes[value]) == 1:
        value = sequence(network)
    *space, rows, channels = network.shapes[value]
    if math.prod(space) * max(rows, channels) ** 2 > MOST_SCORES:
        return network.normalize()
    if network.random.random() < 0.5:
        shape, given = (*space, rows, rows), {"is_transposed": True}
        return network.add("matrix_product", (value, value), shape, given)
    order = [*range(len(space)), len(space) + 1, len(space)]
    shape = (*space, channels, rows)
    other = network.add("transpose", (value,), shape, {"order": order})
    shape = (*space, channels, channels)
    given = {"is_transposed": False}
    return network.add("matrix_product", (other, value), shape, given)
