"""The trivial structure, in which every connection is independent."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

import tensorflow as tf

from tf_rigl.core import drop_and_grow
from tf_rigl.core import random_masks
from tf_rigl.core import selection
from tf_rigl.core.structures.structure import check_nonzeros


@dataclasses.dataclass(frozen=True)
class Unstructured:
    """Any mask with the requested number of connections.

    Accepts tensors of any shape. For the methods see `Structure`.
    """

    name: ClassVar[str] = "unstructured"

    def check(self, shape: Sequence[int], path: str) -> None:
        """Accepts every shape."""
        del shape, path

    def units(self, shape: Sequence[int]) -> int:
        """Returns the number of elements, since each of them is a unit."""
        return math.prod(shape)

    def active_units(self, shape: Sequence[int], nonzeros: int) -> int:
        """Returns `nonzeros` itself."""
        return self.connections(shape, nonzeros)

    def connections(self, shape: Sequence[int], nonzeros: int) -> int:
        """Returns `nonzeros` itself after checking its range."""
        check_nonzeros(shape, nonzeros)
        return nonzeros

    def random_mask(
        self, shape: Sequence[int], nonzeros: int, seed: int, path: str
    ) -> tf.Tensor:
        """Draws all positions alike; see `random_masks.random_mask`."""
        check_nonzeros(shape, nonzeros)
        return random_masks.random_mask(shape, nonzeros, seed, path)

    def largest(
        self,
        scores: tf.Tensor,
        nonzeros: int | tf.Tensor,
        candidates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Keeps the largest magnitudes; see `selection.largest_mask`."""
        if candidates is None:
            candidates = tf.ones(scores.shape, tf.bool)
        return selection.largest_mask(scores, candidates, nonzeros)

    def drop_and_grow(
        self,
        weights: tf.Tensor,
        mask: tf.Tensor,
        grow_scores: tf.Tensor,
        count: int | tf.Tensor,
    ) -> drop_and_grow.MaskUpdate:
        """Moves single connections; see `drop_and_grow.drop_and_grow`."""
        return drop_and_grow.drop_and_grow(weights, mask, grow_scores, count)

    def get_config(self) -> dict[str, Any]:
        """Returns an empty configuration."""
        return {}
