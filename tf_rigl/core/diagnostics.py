"""Statistics of masks and masked values for diagnostics.

Functions that run in the graph at a mask update take and return tensors;
functions for reports run on the host and take NumPy arrays.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

_BITS = 8
_BYTES = 8
# Multiplying by this number packs eight bytes, each 0 or 1, into the bits of
# the highest byte: byte i is shifted to bit 56 + i.
_GATHER = sum(2 ** (56 - 7 * byte) for byte in range(_BITS))


def packed_size(size: int) -> int:
    """Returns the number of 64-bit words that `size` mask elements need."""
    return -(-size // (_BITS * _BYTES))


def pack_mask(mask: tf.Tensor) -> tf.Tensor:
    """Packs a bool tensor of static shape into one bit per element.

    The first element is the lowest bit; padding bits are 0. The result is int64
    [packed_size(elements)], because workers of a distribution strategy cannot
    broadcast initial values of dtype uint8.
    """
    size = mask.shape.num_elements()
    flat = tf.cast(tf.reshape(mask, [-1]), tf.uint8)
    padding = -size % (_BITS * _BYTES)
    if padding:
        flat = tf.pad(flat, [[0, padding]])
    eights = tf.bitcast(tf.reshape(flat, [-1, _BITS]), tf.uint64)
    gathered = eights * tf.constant(_GATHER, tf.uint64)
    packed = tf.cast(
        tf.bitwise.right_shift(gathered, tf.constant(56, tf.uint64)), tf.uint8
    )
    return tf.bitcast(tf.reshape(packed, [-1, _BYTES]), tf.int64)


class MaskChange(NamedTuple):
    """A mask before and after an update, both packed by `pack_mask`."""

    before: tf.Tensor
    after: tf.Tensor

    @classmethod
    def between(cls, before: tf.Tensor, after: tf.Tensor) -> "MaskChange":
        """Packs two bool tensors of one static shape."""
        return cls(pack_mask(before), pack_mask(after))

    # These work on packed masks, which take an eighth of the memory of bool
    # tensors.

    @property
    def connections(self) -> tf.Tensor:
        """Number of active connections after the update, int64 scalar."""
        return _count_bits(self.after)

    @property
    def kept(self) -> tf.Tensor:
        """Number of connections active before and after, int64 scalar."""
        return _count_bits(tf.bitwise.bitwise_and(self.before, self.after))

    @property
    def ever_active(self) -> tf.Tensor:
        """Packed mask of positions active before or after the update."""
        return tf.bitwise.bitwise_or(self.before, self.after)


def _count_bits(packed: tf.Tensor) -> tf.Tensor:
    ones = tf.raw_ops.PopulationCount(x=packed)
    return tf.reduce_sum(tf.cast(ones, tf.int64))


def unpack_mask(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Inverts `pack_mask` on the host; returns a bool array of `shape`."""
    bits = np.unpackbits(
        packed.view(np.uint8), count=math.prod(shape), bitorder="little"
    )
    return bits.astype(bool).reshape(shape)


def norm_within(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns the L2 norm of the values inside a mask, float32 scalar."""
    chosen = tf.where(mask, tf.cast(values, tf.float32), 0.0)
    return tf.sqrt(2.0 * tf.nn.l2_loss(chosen))


def count_dead(mask: np.ndarray) -> tuple[int, int]:
    """Counts the inputs without a connection and the units without one.

    Args:
        mask: bool array of shape [positions, inputs, units].
    """
    connected = np.any(mask, axis=0)
    return (
        int(np.count_nonzero(~np.any(connected, axis=1))),
        int(np.count_nonzero(~np.any(connected, axis=0))),
    )


def count_dead_of(
    inputs: np.ndarray, units: np.ndarray, shape: tuple[int, int, int]
) -> tuple[int, int]:
    """Does as `count_dead` for a list of connections.

    Args:
        inputs: int64 [nnz], the input of each connection.
        units: int64 [nnz], its unit.
        shape: the shape of the mask, [positions, inputs, units].
    """
    of_inputs = np.bincount(inputs, minlength=shape[1])
    of_units = np.bincount(units, minlength=shape[2])
    return int(np.sum(of_inputs == 0)), int(np.sum(of_units == 0))


def density_image(mask: np.ndarray, largest: int) -> np.ndarray:
    """Renders a mask of shape [positions, inputs, units] as an image.

    Inputs run from top to bottom and units from left to right. Each pixel is
    the density, in [0, 1], of the connections that it covers: all positions of
    one input and unit, or of a block of them if the image would exceed
    `largest` pixels in height or width.
    """
    density = mask.mean(axis=0, dtype=np.float32)
    for axis in (0, 1):
        density = _mean_of_blocks(density, axis, largest)
    return density


def _mean_of_blocks(values: np.ndarray, axis: int, largest: int) -> np.ndarray:
    """Averages equal blocks along an axis; the last one may be shorter."""
    size = values.shape[axis]
    block = -(-size // largest)
    if block <= 1:
        return values
    starts = np.arange(0, size, block)
    lengths = np.minimum(block, size - starts).astype(np.float32)
    sums = np.add.reduceat(values, starts, axis=axis)
    return sums / np.expand_dims(lengths, 1 - axis)
