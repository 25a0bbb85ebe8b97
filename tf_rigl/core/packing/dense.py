"""Everything is kept."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.packing.corruption import check
from tf_rigl.core.packing.encoding import MaskEncoding


class Dense(MaskEncoding):
    """No bytes, for masks that keep everything."""

    name = "dense"
    graph_bytes = 400

    def encode(
        self, mask: np.ndarray, layout: KernelLayout | None = None
    ) -> bytes | None:
        """None where something is left out."""
        del layout
        return b"" if mask.all() else None

    def decode(self, data: bytes, shape: Sequence[int]) -> np.ndarray:
        """There is nothing to read."""
        check(
            not data,
            "A mask that keeps everything must have no bytes.",
            f"{len(data)} bytes",
        )
        return np.ones(shape, bool)

    def graph_positions(
        self, data: tf.Tensor, kept: tf.Tensor | int
    ) -> tf.Tensor:
        """All of them."""
        del data
        return tf.range(kept, dtype=tf.int64)

    def graph_place(
        self,
        data: tf.Tensor,
        values: tf.Tensor,
        kept: tf.Tensor | int,
        size: tf.Tensor | int,
    ) -> tf.Tensor:
        """Appends zeros."""
        del data
        return tf.pad(values, [[0, size - kept]])
