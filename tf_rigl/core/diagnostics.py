"""Numbers that researchers of sparse training look at, as functions of masks.

Those that run at a mask update, within the graph, take and return tensors.
Those that a report needs are on the host and take arrays.
"""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

_BITS = 8
_BYTES = 8
# A product with it gathers eight bytes that are 0 or 1, the bits of a number
# read from them, in the highest byte: byte i is shifted to bit 56 + i.
_GATHER = sum(2 ** (56 - 7 * byte) for byte in range(_BITS))


def packed_size(size: int) -> int:
    """Counts the words of 64 bits that a mask of `size` elements takes."""
    return -(-size // (_BITS * _BYTES))


def pack_mask(mask: tf.Tensor) -> tf.Tensor:
    """Packs a bool tensor of static shape, one bit an element.

    The first is in the lowest bit; bits beyond the last are 0. The result is
    int64 [packed_size(elements)]. Not uint8: workers cannot send each other
    initial values of that dtype.
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
    """A mask before and after an update, packed by `pack_mask`."""

    before: tf.Tensor
    after: tf.Tensor

    @classmethod
    def between(cls, before: tf.Tensor, after: tf.Tensor) -> "MaskChange":
        """Packs two bool tensors of one static shape."""
        return cls(pack_mask(before), pack_mask(after))

    # All of packed masks, which have an eighth of the bytes of bool tensors.

    @property
    def connections(self) -> tf.Tensor:
        """Number of connections afterwards, int64 scalar."""
        return _count_bits(self.after)

    @property
    def kept(self) -> tf.Tensor:
        """Number of connections that stayed, int64 scalar."""
        return _count_bits(tf.bitwise.bitwise_and(self.before, self.after))

    @property
    def ever_active(self) -> tf.Tensor:
        """Positions that are active before or afterwards, packed."""
        return tf.bitwise.bitwise_or(self.before, self.after)


def _count_bits(packed: tf.Tensor) -> tf.Tensor:
    ones = tf.raw_ops.PopulationCount(x=packed)
    return tf.reduce_sum(tf.cast(ones, tf.int64))


def unpack_mask(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Inverts `pack_mask` on the host: a bool array of the shape."""
    bits = np.unpackbits(
        packed.view(np.uint8), count=math.prod(shape), bitorder="little"
    )
    return bits.astype(bool).reshape(shape)


def norm_within(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns the L2 norm of values where a mask is true, float32 scalar."""
    chosen = tf.where(mask, tf.cast(values, tf.float32), 0.0)
    return tf.sqrt(2.0 * tf.nn.l2_loss(chosen))


def count_dead(mask: np.ndarray) -> tuple[int, int]:
    """Counts inputs that no unit reads and units that read no input.

    Args:
        mask: bool array of shape [positions, inputs, units].
    """
    connected = np.any(mask, axis=0)
    return (
        int(np.count_nonzero(~np.any(connected, axis=1))),
        int(np.count_nonzero(~np.any(connected, axis=0))),
    )


def density_image(mask: np.ndarray, largest: int) -> np.ndarray:
    """Draws a mask, bool [positions, inputs, units], as an image.

    Inputs go from top to bottom, units from left to right. Each pixel is the
    density, in [0, 1], of the connections that it stands for: over all
    positions, and over a block of inputs and units where there are more of
    them than the `largest` of height and width, in pixels.
    """
    density = mask.mean(axis=0, dtype=np.float32)
    for axis in (0, 1):
        density = _mean_of_blocks(density, axis, largest)
    return density


def _mean_of_blocks(values: np.ndarray, axis: int, largest: int) -> np.ndarray:
    """Means over equal blocks along an axis; the last may be shorter."""
    size = values.shape[axis]
    block = -(-size // largest)
    if block <= 1:
        return values
    starts = np.arange(0, size, block)
    lengths = np.minimum(block, size - starts).astype(np.float32)
    sums = np.add.reduceat(values, starts, axis=axis)
    return sums / np.expand_dims(lengths, 1 - axis)
