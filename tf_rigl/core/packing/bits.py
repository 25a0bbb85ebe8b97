"""Packing of bits and multi-bit fields into bytes, by NumPy and graph ops.

The first bit is the lowest bit of the first byte. Fields of `width` bits are
stored as `width` planes: the lowest bits of all fields, padded to whole bytes,
then the second-lowest bits, and so on. Planes unpack with a number of
operations that does not depend on the width.
"""

import numpy as np
import tensorflow as tf

# The widest fields: positive int32 numbers.
WIDEST = 31


def pack_bits(bits: np.ndarray) -> bytes:
    """Packs bools into bits, padded with zeros to whole bytes.

    >>> pack_bits(np.array([True, False, False, True])).hex()
    '09'
    """
    return np.packbits(bits.ravel(), bitorder="little").tobytes()


def unpack_bits(data: bytes) -> np.ndarray:
    """Inverts `pack_bits`: uint8 [8 · bytes], each 0 or 1, with the padding."""
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")


def plane_bytes(count: int) -> int:
    """Returns the number of bytes in a plane of `count` fields."""
    return -(-count // 8)


def pack_fields(fields: np.ndarray, width: int) -> bytes:
    """Packs integers below 2 ** width, int64 [count], into `width` planes.

    The width is from 0 to `WIDEST`; each plane has ceil(count / 8) bytes.
    """
    return b"".join(
        pack_bits((fields >> place) & 1 == 1) for place in range(width)
    )


def unpack_fields(data: bytes, width: int, count: int) -> np.ndarray:
    """Inverts `pack_fields`: int64 [count], from data of the exact length."""
    fields = np.zeros(count, np.int64)
    size = plane_bytes(count)
    for place in range(width):
        plane = unpack_bits(data[place * size : (place + 1) * size])[:count]
        fields |= plane.astype(np.int64) << place
    return fields


def graph_unpack_bits(data: tf.Tensor) -> tf.Tensor:
    """Unpacks bits by graph ops: uint8 [bytes] to bool [8 · bytes]."""
    places = tf.constant([1 << place for place in range(8)], tf.uint8)
    chosen = tf.bitwise.bitwise_and(tf.expand_dims(data, 1), places)
    return tf.reshape(tf.cast(chosen, tf.bool), [-1])


def graph_unpack_fields(
    data: tf.Tensor, width: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    """Inverts `pack_fields` by graph ops: uint8 [bytes] to int64 [count]."""
    # Each plane is padded to whole bytes.
    padded = (count + 7) // 8 * 8
    planes = tf.reshape(graph_unpack_bits(data), [width, padded])

    # The bits of plane i have the value 2 ** i.
    values = tf.bitwise.left_shift(1, tf.cast(tf.range(width), tf.int32))
    fields = tf.cast(planes, tf.int32) * tf.expand_dims(values, 1)
    return tf.cast(
        tf.slice(tf.reduce_sum(fields, axis=0), [0], [count]), tf.int64
    )


def graph_integers(data: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Reads the first `count` little-endian int64 numbers of uint8 data."""
    head = tf.reshape(tf.slice(data, [0], [8 * count]), [count, 8])
    return tf.unstack(tf.bitcast(head, tf.int64))
