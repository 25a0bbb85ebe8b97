"""A mask encoding for N:M sparsity."""

import functools
import math
import struct
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.packing import bits
from tf_rigl.core.packing import encoding
from tf_rigl.core.packing import layout_header
from tf_rigl.core.packing.corruption import check

LARGEST_GROUP = 16
_GROUP = struct.Struct("<2q")


class NByMIndices(encoding.MaskEncoding):
    """The pattern of each group of m inputs, as an index.

    Stores the layout, n and m as int64, and for each group the index of its
    pattern among all choices of n out of m, sorted by their bits. Indices are
    fields of as many bits as the largest one needs, so 2:4 takes 3 bits for 4
    elements. Groups are ordered by positions, groups of inputs, units. The
    smallest m that fits the mask is used, up to 16.
    """

    name = "n_by_m"
    graph_bytes = 11700

    def encode(
        self, mask: np.ndarray, layout: KernelLayout | None = None
    ) -> bytes | None:
        """Packs a mask, or returns None if it is not N:M or is dense."""
        layout = layout or encoding.default_layout(mask.shape)
        seen = layout_header.view(mask, layout)
        group = _group(seen)
        if group is None:
            return None
        n, m = group

        codes = _codes(_groups(seen, m))
        ranks = np.searchsorted(patterns(n, m), codes.ravel())
        return b"".join(
            [
                layout_header.pack(layout),
                _GROUP.pack(n, m),
                bits.pack_fields(ranks, _width(n, m)),
            ]
        )

    def decode(self, data: bytes, shape: Sequence[int]) -> np.ndarray:
        """Checks the layout, n:m, the length and each index, then unpacks."""
        layout, (n, m), rest = layout_header.unpack(
            data, shape, _GROUP, "n and m"
        )
        positions, inputs, units = layout.shape
        check(
            1 <= n < m <= LARGEST_GROUP and inputs % m == 0,
            f"n must be less than m, at most {LARGEST_GROUP}, which divides "
            f"{inputs} inputs.",
            f"n={n}, m={m}",
        )

        groups = positions * (inputs // m) * units
        size = _width(n, m) * bits.plane_bytes(groups)
        check(
            len(rest) == size,
            f"{groups} groups must have {size} bytes.",
            f"{len(rest)} bytes",
        )

        ranks = bits.unpack_fields(rest, _width(n, m), groups)
        codes = patterns(n, m)
        check(
            ranks.max(initial=0) < codes.size,
            f"There are {codes.size} patterns of {n}:{m}.",
            f"number {ranks.max(initial=0)}",
        )

        chosen = codes[ranks].reshape(-1, 1, units)
        rows = chosen >> np.arange(m)[:, np.newaxis] & 1
        return layout_header.unview(
            rows.astype(bool).reshape(layout.shape), layout
        )

    def graph_positions(
        self, data: tf.Tensor, kept: tf.Tensor | int
    ) -> tf.Tensor:
        """Looks up each group's pattern and returns the kept positions."""
        del kept
        layout = layout_header.GraphLayout(data)
        n, m = bits.graph_integers(layout.rest, 2)
        positions, inputs, units = tf.unstack(layout.view, 3)
        groups = positions * (inputs // m) * units

        _, fields = tf.split(layout.rest, [_GROUP.size, -1])
        # The number of planes is the number of bits of a field.
        width = tf.size(fields, tf.int64) // ((groups + 7) // 8)
        ranks = bits.graph_unpack_fields(fields, width, groups)

        chosen = tf.reshape(
            tf.gather(_graph_patterns(n, m), ranks), [-1, 1, units]
        )
        places = tf.range(m)[:, tf.newaxis]
        rows = tf.bitwise.bitwise_and(
            tf.bitwise.right_shift(chosen, places), tf.ones([], tf.int64)
        )
        return layout.positions(tf.reshape(tf.cast(rows, tf.bool), layout.view))


@functools.cache
def patterns(n: int, m: int) -> np.ndarray:
    """Returns the numbers below 2 ** m with n bits set: int64, increasing."""
    codes = np.arange(1 << m, dtype=np.uint32)
    ones = np.unpackbits(codes.view(np.uint8)).reshape(-1, 32).sum(axis=1)
    return np.flatnonzero(ones == n)


def _graph_patterns(n: tf.Tensor, m: tf.Tensor) -> tf.Tensor:
    size = tf.bitwise.left_shift(tf.ones([], tf.int64), m)
    ones = tf.raw_ops.PopulationCount(x=tf.range(size))
    return tf.where(tf.equal(tf.cast(ones, tf.int64), n))[:, 0]


def _width(n: int, m: int) -> int:
    """Returns the number of bits of the largest index."""
    return (math.comb(m, n) - 1).bit_length()


def _group(mask: np.ndarray) -> tuple[int, int] | None:
    """Returns n and the smallest m for which the mask is n:m, else None."""
    inputs = mask.shape[1]
    for m in range(2, min(inputs, LARGEST_GROUP) + 1):
        if inputs % m or not mask.size:
            continue
        groups = _groups(mask, m)
        n = int(groups[0, :, 0].sum())
        # A few groups are enough to reject nearly all other masks.
        for part in (groups[:8], groups):
            if not 0 < n < m or (part.sum(axis=1, dtype=np.uint8) != n).any():
                break
        else:
            return n, m
    return None


def _groups(mask: np.ndarray, m: int) -> np.ndarray:
    """Reshapes [positions, inputs, units] to [groups, m, units]."""
    return mask.reshape(-1, m, mask.shape[2])


def _codes(groups: np.ndarray) -> np.ndarray:
    """Reads the m bits of each group as an integer: int64 [groups, units]."""
    packed = np.packbits(groups, axis=1, bitorder="little").astype(np.int64)
    places = 8 * np.arange(packed.shape[1])[:, np.newaxis]
    return (packed << places).sum(axis=1)
