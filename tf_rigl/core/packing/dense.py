"""A mask encoding for weights that keep every element."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tf_rigl.core.kernel_layout import KernelLayout
from tf_rigl.core.packing.corruption import check
from tf_rigl.core.packing.encoding import MaskEncoding


class Dense(MaskEncoding):
    """Zero bytes, for masks that are true everywhere."""

    name = "dense"
    graph_bytes = 400

    def encode(
        self, mask: np.ndarray, layout: KernelLayout | None = None
    ) -> bytes | None:
        """Returns no bytes, or None if the mask excludes an element."""
        del layout
        return b"" if mask.all() else None

    def decode(self, data: bytes, shape: Sequence[int]) -> np.ndarray:
        """Returns a mask of ones after checking that `data` is empty."""
        check(
            not data,
            "A mask that keeps everything must have no bytes.",
            f"{len(data)} bytes",
        )
        return np.ones(shape, bool)

    def graph_positions(
        self, data: tf.Tensor, kept: tf.Tensor | int
    ) -> tf.Tensor:
        """Returns all positions."""
        del data
        return tf.range(kept, dtype=tf.int64)

    def graph_place(
        self,
        data: tf.Tensor,
        values: tf.Tensor,
        kept: tf.Tensor | int,
        size: tf.Tensor | int,
        positions: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Pads the values with zeros to `size`; no position is missing."""
        del data, positions
        return tf.pad(values, [[0, size - kept]])
