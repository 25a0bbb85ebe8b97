"""A mask encoding for weights that keep whole blocks."""

import math
import struct
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.packing import encoding
from tf_rigl.core.packing import gaps
from tf_rigl.core.packing import layout_header
from tf_rigl.core.packing.bits import graph_integers
from tf_rigl.core.packing.corruption import check

_BLOCK = struct.Struct("<3q")


class BlockMask(encoding.MaskEncoding):
    """The kept blocks, packed as `gaps` among all blocks.

    Stores the layout, the block's size along positions, inputs and units as
    int64, and the packed gaps. The block is the largest one that fits the mask,
    whichever structure made it. Blocks at the end of an axis may be cut off,
    like those of `structures.Block` and `structures.Channel`.
    """

    name = "block_mask"
    graph_bytes = 13300

    def encode(
        self, mask: np.ndarray, layout: KernelLayout | None = None
    ) -> bytes | None:
        """Packs a mask, or returns None if its largest block is one element."""
        layout = layout or encoding.default_layout(mask.shape)
        seen = layout_header.view(mask, layout)
        block = largest_block(seen)
        if math.prod(block) <= 1:
            return None
        grid = seen[:: block[0], :: block[1], :: block[2]]
        return b"".join(
            [
                layout_header.pack(layout),
                _BLOCK.pack(*block),
                gaps.Gaps().encode(grid),
            ]
        )

    def decode(self, data: bytes, shape: Sequence[int]) -> np.ndarray:
        """Checks the layout and the block, then unpacks the kept blocks."""
        layout, block, rest = layout_header.unpack(
            data, shape, _BLOCK, "The size of a block"
        )
        check(
            all(
                1 <= size <= max(most, 1)
                for size, most in zip(block, layout.shape, strict=True)
            ),
            f"A block must fit a weight of {layout.shape}.",
            f"block={block}",
        )

        grid_shape = [
            -(-size // along)
            for size, along in zip(layout.shape, block, strict=True)
        ]
        kept = gaps.decode_positions(rest, math.prod(grid_shape))
        seen = encoding.mask_of_positions(kept, grid_shape)

        for axis, (size, along) in enumerate(
            zip(layout.shape, block, strict=True)
        ):
            seen = np.take(seen, np.arange(size) // along, axis)
        return layout_header.unview(seen, layout)

    def graph_positions(
        self, data: tf.Tensor, kept: tf.Tensor | int
    ) -> tf.Tensor:
        """Expands the kept blocks to the positions of their elements."""
        del kept
        layout = layout_header.GraphLayout(data)
        block = graph_integers(layout.rest, 3)
        _, packed = tf.split(layout.rest, [_BLOCK.size, -1])
        sizes = tf.unstack(layout.view, 3)

        grid_shape = tf.stack(
            [
                (size + along - 1) // along
                for size, along in zip(sizes, block, strict=True)
            ]
        )

        # A bool for each block, which is then repeated along the three axes.
        blocks = gaps.graph_positions(packed)
        seen = tf.raw_ops.SparseToDense(
            sparse_indices=blocks,
            output_shape=tf.reshape(tf.reduce_prod(grid_shape), [1]),
            sparse_values=True,
            default_value=False,
        )
        seen = tf.reshape(seen, grid_shape)

        for axis, (size, along) in enumerate(zip(sizes, block, strict=True)):
            seen = tf.gather(seen, tf.range(size) // along, axis=axis)
        return layout.positions(seen)


def largest_block(mask: np.ndarray) -> tuple[int, int, int]:
    """Returns the largest block size for which the mask is constant per block.

    The mask is a bool array of shape [positions, inputs, units]. If it does not
    change along an axis, the block spans the whole axis.
    """
    return _period(mask, 0), _period(mask, 1), _period(mask, 2)


def _period(mask: np.ndarray, axis: int) -> int:
    """Returns the largest size such that all changes lie at its multiples."""
    size = mask.shape[axis]
    mask = np.moveaxis(mask, axis, 0)
    changes = 1 + np.flatnonzero((mask[1:] != mask[:-1]).any(axis=(1, 2)))
    return math.gcd(*changes.tolist()) or max(size, 1)
