"""Packing of values that a seed determines: 64 bytes for a whole weight.

Stored are the dice that `core.dice` rolls for all elements, a factor, and a
fingerprint of the values of the kept elements, because TensorFlow promises the
bits of its generators for one version only. The factor is a product of its own,
after that with the scale: one product of both would be rounded differently.
"""

import struct
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.core.dice import KINDS
from tf_rigl.core.dice import Dice
from tf_rigl.core.dice import sums
from tf_rigl.core.packing.bits import graph_integers
from tf_rigl.core.packing.corruption import check

# The seed, numbers of dice and sides, number of elements; scale and factor; the
# fingerprint.
_HEADER = struct.Struct("<5q2d8s")
BYTES = _HEADER.size
_DTYPES = (tf.float16, tf.bfloat16, tf.float32, tf.float64)


class Draw(NamedTuple):
    """How all values of a weight come about."""

    dice: Dice
    factor: float  # of their dtype, by which they are multiplied afterwards


def pack(values: np.ndarray, draw: Draw, elements: int) -> bytes:
    """Packs the values of the kept elements, which `unpack` will find.

    Args:
        values: the values of the kept elements, of any floating dtype.
        draw: how they come about.
        elements: number of elements of the weight.
    """
    return _HEADER.pack(
        *draw.dice.seed,
        *draw.dice.kind,
        elements,
        draw.dice.scale,
        draw.factor,
        _fingerprint(tf.convert_to_tensor(values)).numpy().tobytes(),
    )


def unpack_dice(data: bytes) -> Dice:
    """Reads the dice of packed values.

    Raises:
        CorruptDataError: if they are none.
    """
    check(
        len(data) == BYTES,
        f"Values of a seed must have {BYTES} bytes.",
        f"{len(data)} bytes",
    )
    first, second, number, sides, _, scale, *_ = _HEADER.unpack(data)
    check(
        (number, sides) in KINDS,
        f"Numbers of dice and sides must be one of {KINDS}.",
        f"{number} and {sides}",
    )
    return Dice((first, second), number, sides, scale)


def unpack(
    data: bytes, positions: np.ndarray, elements: int, dtype: np.dtype
) -> np.ndarray:
    """Draws the values of the kept elements, at increasing flat positions.

    Raises:
        CorruptDataError: if the data are damaged, or this TensorFlow draws
            other values.
    """
    dice = unpack_dice(data)
    # Before memory is allocated for them.
    stored = _HEADER.unpack(data)[4]
    check(
        stored == elements and tf.as_dtype(dtype) in _DTYPES,
        f"A seed must draw {elements} floating-point values.",
        f"{stored} values of {dtype}",
    )

    octets = tf.constant(np.frombuffer(data, np.uint8))
    values, intact = _draw(octets, tf.constant(positions, tf.int64), dtype)
    check(
        bool(intact.numpy()),
        "Values drawn from a seed must have the fingerprint of those packed.",
        f"others by {dice}",
    )
    return values.numpy()


def graph_unpack(
    data: tf.Tensor, positions: tf.Tensor | None, dtype: tf.DType
) -> tf.Tensor:
    """Draws like `unpack`, by graph ops that fail if values are others.

    `data` is uint8 [64], `positions` int64 [kept elements].
    """
    values, intact = _draw(data, positions, dtype)
    guard = tf.debugging.Assert(
        intact, ["Packed weights were drawn from another seed or generator."]
    )
    with tf.control_dependencies([guard]):
        return tf.identity(values)


def _draw(
    data: tf.Tensor, positions: tf.Tensor, dtype: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the values, and whether they have the stored fingerprint."""
    first, second, number, sides, elements, *reals = graph_integers(data, 7)
    scale, factor = (tf.bitcast(real, tf.float64) for real in reals)

    rolled = sums(
        [elements], tf.stack([first, second]), number, tf.cast(sides, tf.int32)
    )
    drawn = _multiply(tf.gather(rolled, positions), scale, tf.float32)
    values = _multiply(tf.cast(drawn, dtype), factor, dtype)
    same = tf.equal(_fingerprint(values), tf.slice(data, [56], [8]))
    return values, tf.reduce_all(same)


def _multiply(values: tf.Tensor, factor: tf.Tensor, dtype: Any) -> tf.Tensor:
    """Returns a product in `dtype`, of values of at most as many bits.

    In float64 it is exact, and then it is rounded. TensorFlow's optimizer would
    replace two products with scalars by one with their product, which other
    roundings make of it; it leaves casts alone.
    """
    return tf.cast(tf.cast(values, tf.float64) * factor, dtype)


def _fingerprint(values: tf.Tensor) -> tf.Tensor:
    """Returns a hash of the bits of a vector, uint8 [8]."""
    return tf.reshape(tf.fingerprint(tf.reshape(values, [1, -1])), [8])
