"""A mask encoding with one bit per element."""

import math
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.packing import bits
from tf_rigl.core.packing.corruption import check
from tf_rigl.core.packing.encoding import MaskEncoding


class BitMask(MaskEncoding):
    """One bit per element, in C order; the last byte is padded with zeros."""

    name = "bit_mask"
    graph_bytes = 1500
    join_limit = math.inf

    def encode(
        self, mask: np.ndarray, layout: KernelLayout | None = None
    ) -> bytes:
        """Packs any mask to ceil(elements / 8) bytes."""
        del layout
        return bits.pack_bits(mask)

    @staticmethod
    def encode_positions(positions: np.ndarray, elements: int) -> bytes:
        """Packs flat positions, int64 and distinct, likewise."""
        octets = np.zeros(bits.plane_bytes(elements), np.uint8)
        ones = (1 << (positions % 8)).astype(np.uint8)
        np.bitwise_or.at(octets, positions // 8, ones)
        return octets.tobytes()

    def decode(self, data: bytes, shape: Sequence[int]) -> np.ndarray:
        """Unpacks a mask after checking its length and its padding."""
        elements = math.prod(shape)
        check(
            len(data) == bits.plane_bytes(elements),
            f"A bit mask of shape {tuple(shape)} must have "
            f"{bits.plane_bytes(elements)} bytes.",
            f"{len(data)} bytes",
        )
        mask = bits.unpack_bits(data)
        check(
            not mask[elements:].any(),
            "A bit mask must end with zeros.",
            f"ones beyond element {elements}",
        )
        return mask[:elements].astype(bool).reshape(shape)

    def graph_positions(
        self, data: tf.Tensor, kept: tf.Tensor | int
    ) -> tf.Tensor:
        """Returns the positions of the set bits."""
        del kept
        return tf.squeeze(tf.where(bits.graph_unpack_bits(data)), 1)

    def graph_join(
        self,
        masks: Sequence[bytes],
        parts: Sequence[Sequence[tf.Tensor]],
        sizes: Sequence[int],
    ) -> tf.Tensor:
        """Concatenates the masks in whole bytes and unpacks them at once."""
        joined = []
        for mask, (part,), size in zip(masks, parts, sizes, strict=True):
            joined.append(part)
            # If there are several masks, all sizes are multiples of 8.
            padding = bits.plane_bytes(size) - len(mask)
            if padding:
                joined.append(tf.constant([0] * padding, tf.uint8))
        data = joined[0] if len(joined) == 1 else tf.concat(joined, 0)
        return tf.squeeze(tf.where(bits.graph_unpack_bits(data)), 1)
