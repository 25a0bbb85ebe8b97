import functools
import math

import numpy as np
import tensorflow as tf
from hypothesis import strategies as st

from tf_rigl.core.kernel_layout import axes_layout
from tf_rigl.core.packing import ENCODINGS

# Encodings that any mask fits.
GENERAL = ("bit_mask", "gaps")


def entropy_bytes(mask):
    """The bound of the positions of a mask: n · H(density) bits."""
    density = mask.mean()
    if density in (0, 1):
        return 0.0
    rest = 1 - density
    bits = -(density * np.log2(density) + rest * np.log2(rest))
    return mask.size * bits / 8


@st.composite
def masks(draw, least=0):
    """Masks of rank 1 to 5: of any density, with one element, in blocks."""
    shape = tuple(draw(st.lists(st.integers(least, 6), min_size=1, max_size=5)))
    size = math.prod(shape)
    kind = draw(
        st.sampled_from(
            ["random", "none", "all", "first", "last", "blocks", "n_by_m"]
        )
    )
    mask = np.zeros(shape, bool)
    random = np.random.default_rng(draw(st.integers(0, 1000)))

    if kind == "random":
        mask = random.random(shape) < draw(st.floats(0, 1))
    elif kind == "all":
        mask[...] = True
    elif kind == "first" and size:
        mask.flat[0] = True
    elif kind == "last" and size:
        mask.flat[-1] = True
    elif kind == "blocks":
        tile = [draw(st.integers(1, 3)) for _ in shape]
        cells = [-(-s // t) for s, t in zip(shape, tile, strict=True)]
        grid = random.random(cells) < 0.5
        for axis, along in enumerate(tile):
            grid = np.take(grid, np.arange(shape[axis]) // along, axis)
        mask = grid
    elif kind == "n_by_m" and len(shape) > 1:
        order = random.random(shape).argsort(axis=-2)
        mask = order < draw(st.integers(1, 3))
    return mask


@st.composite
def layouts(draw, shape):
    if draw(st.booleans()):
        return None
    kinds = [draw(st.sampled_from("piu")) for _ in shape]
    return axes_layout(
        shape,
        [axis for axis, kind in enumerate(kinds) if kind == "i"],
        [axis for axis, kind in enumerate(kinds) if kind == "u"],
    )


def n_by_m_mask(shape, n, m, seed=0):
    """A mask with n of each m elements along the last axis but one."""
    scores = np.random.default_rng(seed).random(
        (*shape[:-2], shape[-2] // m, m, shape[-1])
    )
    return (scores.argsort(axis=-2).argsort(axis=-2) < n).reshape(shape)


def block_mask(shape, height, width, density, seed=0):
    """A mask of blocks, cut off at the ends, of a matrix."""
    grid = (-(-shape[0] // height), -(-shape[1] // width))
    mask = np.random.default_rng(seed).random(grid) < density
    mask = mask.repeat(height, axis=0).repeat(width, axis=1)
    return mask[: shape[0], : shape[1]]


@functools.cache
def _graph(name):
    encoding = ENCODINGS[name]

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.uint8),
            tf.TensorSpec([None], tf.float32),
            tf.TensorSpec([], tf.int64),
        ]
    )
    def place(data, values, size):
        kept = tf.size(values, tf.int64)
        return encoding.graph_place(data, values, kept, size)

    return place


def graph_place(name, data, values, size):
    """`graph_place` of an encoding, compiled once: float32 array [size]."""
    data = np.frombuffer(data, np.uint8)
    return _graph(name)(data, values, tf.constant(size, tf.int64)).numpy()


def damage(data, random):
    """Bytes with bits flipped, cut off, lengthened or overwritten."""
    data = bytearray(data)
    kind = random.integers(5)

    if kind == 0 or not data:
        data += random.bytes(int(random.integers(1, 20)))
    elif kind == 1:
        del data[int(random.integers(len(data))) :]
    elif kind == 2:
        for place in random.integers(len(data), size=random.integers(1, 4)):
            data[place] ^= 1 << int(random.integers(8))
    elif kind == 3:
        # A lying length: an integer of the header, of any magnitude.
        place = 8 * int(random.integers(max(len(data) // 8, 1)))
        lie = int(random.integers(1 << 62)) >> int(random.integers(63))
        lie *= int(random.choice([-1, 1]))
        data[place : place + 8] = lie.to_bytes(8, "little", signed=True)
    else:
        begin, end = sorted(random.integers(len(data) + 1, size=2))
        del data[int(begin) : int(end)]
    return bytes(data)
