"""Integer keys for the tiles of a tensor, by their pooled magnitudes.

A tile is a box of [positions, inputs, units]. If tiles do not divide an axis,
those at its end are smaller. Sums are taken in a fixed order, so they are the
same in eager mode, in graphs, under XLA and on every device; `tf.reduce_sum`
differs in the last bits.
"""

import math
from itertools import product
from typing import Literal

import tensorflow as tf

from tf_rigl.core import selection

Size = tuple[int, int, int]
Pooling = Literal["average", "max"]
POOLINGS = ("average", "max")

# Some devices flush denormals to zero when they add. Magnitudes below this key,
# that of the smallest normal number, are therefore set to zero everywhere.
_SMALLEST_NORMAL = {tf.float32: 0x00800000, tf.float64: 0x0010000000000000}


def grid_of(shape: Size, tile: Size) -> Size:
    """Returns the number of tiles along each axis."""
    positions, inputs, units = (
        -(-size // along) for size, along in zip(shape, tile, strict=True)
    )
    return positions, inputs, units


def tile_keys(values: tf.Tensor, tile: Size, pooling: Pooling) -> tf.Tensor:
    """Returns integer keys that order like the pooled magnitudes of the tiles.

    The average is over the elements inside the weight. It is computed in
    float64 for float64 values and in float32 for all others, where a sum that
    overflows counts as infinite and denormals count as zero. A tile with a NaN
    is the largest.

    Args:
        values: float tensor of static shape [positions, inputs, units].
        tile: the size of a tile, along each axis at most the tensor's.
        pooling: `"average"` or `"max"`.
    """
    shape = tuple(values.shape)
    if pooling == "max":
        keys = selection.magnitude_keys(values)
        return tf.reduce_max(_by_tile(keys, tile), axis=-1)
    sums = _sum_in_pairs(_by_tile(_normal_magnitudes(values), tile))
    return selection.magnitude_keys(_per_element(sums, shape, tile))


def any_in_tile(mask: tf.Tensor, tile: Size) -> tf.Tensor:
    """Returns which tiles have a true entry: bool, of the grid's shape."""
    return tf.reduce_any(_by_tile(mask, tile), axis=-1)


def fill_tiles(tiles: tf.Tensor, shape: Size, tile: Size) -> tf.Tensor:
    """Expands one value per tile to a tensor of the given shape."""
    for axis, along in enumerate(tile):
        tiles = tf.repeat(tiles, along, axis=axis)
    return tiles[: shape[0], : shape[1], : shape[2]]


def _by_tile(tensor: tf.Tensor, tile: Size) -> tf.Tensor:
    """Flattens each tile to a row, [*grid, size], padded with zeros."""
    shape = tuple(tensor.shape)
    grid = grid_of(shape, tile)
    missing = [
        [0, count * along - size]
        for count, along, size in zip(grid, tile, shape, strict=True)
    ]
    if any(after for _, after in missing):
        tensor = tf.pad(tensor, missing)
    split = [n for pair in zip(grid, tile, strict=True) for n in pair]
    tensor = tf.transpose(tf.reshape(tensor, split), [0, 2, 4, 1, 3, 5])
    return tf.reshape(tensor, [*grid, math.prod(tile)])


def _normal_magnitudes(values: tf.Tensor) -> tf.Tensor:
    """Returns |values| in float32 or float64 with denormals set to zero."""
    if values.dtype != tf.float64:
        values = tf.cast(values, tf.float32)
    keys = selection.magnitude_keys(values)
    smallest = tf.constant(_SMALLEST_NORMAL[values.dtype], keys.dtype)
    return tf.where(keys < smallest, tf.zeros_like(values), tf.abs(values))


def _sum_in_pairs(values: tf.Tensor) -> tf.Tensor:
    """Sums along the last axis by repeatedly adding its two halves.

    The order of additions is fixed by the shape, unlike in `tf.reduce_sum`.
    """
    while values.shape[-1] > 1:
        size = values.shape[-1]
        half = -(-size // 2)
        first, second = values[..., :half], values[..., half:]
        if size % 2:
            second = tf.pad(
                second, [[0, 0]] * (len(second.shape) - 1) + [[0, 1]]
            )
        values = first + second
    return values[..., 0]


def _per_element(sums: tf.Tensor, shape: Size, tile: Size) -> tf.Tensor:
    """Scales the sums of cut-off tiles up to those of whole tiles.

    This orders tiles by their averages without a division, which XLA may
    replace by a product with a rounded reciprocal.
    """
    # Possible tile sizes along each axis, and the number of elements per tile.
    occurring = [{along} for along in tile]
    elements = tf.ones([1, 1, 1], tf.int32)
    for axis, (size, along) in enumerate(zip(shape, tile, strict=True)):
        if size % along:
            occurring[axis].add(size % along)
            sizes = tf.minimum(size - tf.range(0, size, along), along)
            alone = [-1 if other == axis else 1 for other in range(3)]
        else:
            sizes, alone = tf.constant(along), [1, 1, 1]
        elements *= tf.reshape(sizes, alone)

    whole = math.prod(tile)
    factors = tf.ones_like(sums)
    for size in sorted({math.prod(sizes) for sizes in product(*occurring)}):
        if size < whole:
            factor = tf.constant(whole / size, sums.dtype)
            factors = tf.where(tf.equal(elements, size), factor, factors)
    return sums * factors
