"""Packing of the values of kept elements, with or without quantization.

The format says how values of a floating dtype are stored. `"float32"` keeps
them bit for bit in their own dtype, `"float16"` and `"bfloat16"` round to
nearest, `"int8"` stores integers from -127 to 127 with one float32 scale per
channel, its largest magnitude / 127, and `"seed"` how values were drawn; see
`seeded`.
"""

import dataclasses
import math
import struct
from collections.abc import Sequence
from typing import Literal

import numpy as np
import tensorflow as tf

from tf_rigl.core.packing import seeded
from tf_rigl.core.packing.bits import graph_integers
from tf_rigl.core.packing.corruption import check

Format = Literal["float32", "float16", "bfloat16", "int8", "seed"]
FORMATS: tuple[Format, ...] = ("float32", "float16", "bfloat16", "int8", "seed")
# Those that need the positions of the values.
POSITIONAL = ("int8", "seed")

_LARGEST = 127
_CHANNELS = struct.Struct("<2q")


@dataclasses.dataclass(frozen=True)
class Channels:
    """Assignment of a weight's elements to channels, which share a scale."""

    count: int  # number of channels
    # Number of elements between one channel and the next, so that element p
    # belongs to channel p // inner % count.
    inner: int

    def of(self, positions: np.ndarray) -> np.ndarray:
        """Returns the channel of each flat position."""
        return positions // self.inner % max(self.count, 1)


def axis_channels(shape: Sequence[int], axis: int) -> Channels:
    """Makes one channel per slice along an axis; a scalar has one channel."""
    if not shape:
        return Channels(1, 1)
    axis %= len(shape)
    return Channels(shape[axis], max(math.prod(shape[axis + 1 :]), 1))


def pack(
    values: np.ndarray,
    positions: np.ndarray,
    channels: Channels,
    stored: Format,
) -> bytes:
    """Packs the values of the kept elements, in any format but `"seed"`.

    `positions` are int64, flat; only `"int8"` uses them and the channels.

    Raises:
        ValueError: if a value overflows the format, or is not finite and the
            format is `"int8"`.
    """
    if stored == "float32":
        return values.tobytes()
    if stored == "int8":
        return _pack_int8(values, channels.of(positions), channels)
    with np.errstate(over="ignore"):
        rounded = values.astype(_dtype_of(stored))
    if (np.isinf(rounded) & np.isfinite(values)).any():
        raise _unfit(values, stored)
    return rounded.tobytes()


def unpack(
    data: bytes,
    positions: np.ndarray,
    channels: Channels,
    stored: Format,
    dtype: np.dtype,
    elements: int,
) -> np.ndarray:
    """Inverts `pack` up to the rounding of the format.

    `elements` is the number of elements of the weight, kept or not.

    Raises:
        CorruptDataError: if the data do not hold one value per position.
    """
    size = packed_bytes(positions.size, channels, stored, dtype)
    check(
        len(data) == size,
        f"{positions.size} values as {stored} must have {size} bytes.",
        f"{len(data)} bytes",
    )

    if stored == "float32":
        return np.frombuffer(data, dtype)
    if stored == "seed":
        return seeded.unpack(data, positions, elements, dtype)
    if stored != "int8":
        return np.frombuffer(data, _dtype_of(stored)).astype(dtype)

    begin = _CHANNELS.size
    count, inner = _CHANNELS.unpack(data[:begin])
    check(
        Channels(count, inner) == channels,
        f"The scales must be of {channels}.",
        f"{Channels(count, inner)}",
    )

    scales = np.frombuffer(data, "<f4", count, begin)
    integers = np.frombuffer(data, np.int8, offset=begin + scales.nbytes)
    # Damaged scales may be infinite or NaN.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = integers.astype(np.float32) * scales[channels.of(positions)]
        return scaled.astype(dtype)


def packed_bytes(
    kept: int, channels: Channels, stored: Format, dtype: np.dtype
) -> int:
    """Returns the size of packed values in bytes."""
    if stored == "seed":
        return seeded.BYTES
    if stored == "int8":
        return _CHANNELS.size + 4 * channels.count + kept
    return kept * (
        dtype.itemsize if stored == "float32" else _dtype_of(stored).itemsize
    )


def graph_unpack(
    data: tf.Tensor,
    positions: tf.Tensor | None,
    stored: Format,
    dtype: tf.DType,
) -> tf.Tensor:
    """Unpacks uint8 data to [kept elements] of `dtype`, by graph ops.

    `dtype` is numeric or bool. Formats that are not `POSITIONAL` do not use the
    positions.
    """
    if stored == "seed":
        return seeded.graph_unpack(data, positions, dtype)
    if stored != "int8":
        kept = dtype if stored == "float32" else tf.as_dtype(stored)
        return tf.cast(_graph_cast(data, kept), dtype)
    count, inner = graph_integers(data, 2)
    _, scales, integers = tf.split(data, [_CHANNELS.size, 4 * count, -1])
    scales = _graph_cast(scales, tf.float32)
    integers = tf.cast(tf.bitcast(integers, tf.int8), tf.float32)
    channel = positions // inner % count
    return tf.cast(integers * tf.gather(scales, channel), dtype)


def _graph_cast(data: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    if dtype == tf.bool:
        return tf.cast(data, tf.bool)
    if dtype.size == 1:
        return tf.bitcast(data, dtype)
    return tf.bitcast(tf.reshape(data, [-1, dtype.size]), dtype)


def _pack_int8(
    values: np.ndarray, channel: np.ndarray, channels: Channels
) -> bytes:
    """Quantizes values to int8 with one float32 scale per channel."""
    values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise _unfit(values, "int8")

    largest = np.zeros(channels.count, np.float32)
    np.maximum.at(largest, channel, np.abs(values))
    scales = (largest / _LARGEST).astype("<f4")
    # The scale of a channel of subnormal numbers may round to 0.
    steps = values / np.where(scales > 0, scales, 1)[channel]
    integers = np.clip(np.rint(steps), -_LARGEST, _LARGEST).astype(np.int8)

    return b"".join(
        [
            _CHANNELS.pack(channels.count, channels.inner),
            scales.tobytes(),
            integers.tobytes(),
        ]
    )


def _dtype_of(stored: str) -> np.dtype:
    return np.dtype(tf.as_dtype(stored).as_numpy_dtype)


def _unfit(values: np.ndarray, stored: str) -> ValueError:
    return ValueError(
        f"Values must fit the format that stores them. Received: {stored} for "
        f"values from {values.min()} to {values.max()}. Store them as float32."
    )
