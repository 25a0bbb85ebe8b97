"""Structures in which each group of connections has a fixed number active."""

import abc
import math
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

import tensorflow as tf

from tf_rigl.core import random_masks
from tf_rigl.core import random_scores
from tf_rigl.core import selection
from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.structures import structure


class Rowwise(abc.ABC):
    """Base of structures whose groups are rows of one size.

    The weight is laid out as [rows, size], each row a group, and every row
    gets the same number of connections.
    """

    name: ClassVar[str]

    @abc.abstractmethod
    def row_size(self, shape: Sequence[int]) -> int:
        """Number of elements of a row."""

    @abc.abstractmethod
    def bounds(self, shape: Sequence[int]) -> tuple[int, int]:
        """The fewest and the most connections that a row may have."""

    @abc.abstractmethod
    def share(self, nonzeros: Any, rows: int) -> Any:
        """The rows' share of `nonzeros`, an int or an int64 tensor."""

    @abc.abstractmethod
    def to_rows(self, tensor: tf.Tensor) -> tf.Tensor:
        """Lays a view of the weight out as [rows, size]."""

    @abc.abstractmethod
    def from_rows(self, rows: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
        """The inverse of `to_rows`."""

    @abc.abstractmethod
    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, plain JSON values."""

    def check(self, shape: Sequence[int], path: str) -> None:
        """The weight must be a view."""
        structure.check_view(self, shape, path)

    def units(self, shape: Sequence[int]) -> int:
        """Each element is a unit."""
        return math.prod(shape)

    def active_units(self, shape: Sequence[int], nonzeros: int) -> int:
        """The number of connections."""
        return self.connections(shape, nonzeros)

    def connections(self, shape: Sequence[int], nonzeros: int) -> int:
        """The rows' share, within its bounds, times their number."""
        structure.check_nonzeros(shape, nonzeros)
        fewest, most = self.bounds(shape)
        rows = self._rows(shape)
        return rows * min(max(self.share(nonzeros, rows), fewest), most)

    def random_mask(
        self, shape: Sequence[int], nonzeros: int, seed: int, path: str
    ) -> tf.Tensor:
        """A random choice in each row."""
        self.check(shape, path)
        structure.check_nonzeros(shape, nonzeros)
        scores = random_scores.random_scores(
            shape, random_masks.stateless_seed(seed, path)
        )
        return self.largest(scores, nonzeros)

    def largest(
        self,
        scores: tf.Tensor,
        nonzeros: int | tf.Tensor,
        candidates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The largest magnitudes of each row."""
        if candidates is None:
            candidates = tf.ones(scores.shape, tf.bool)
        rows = self._rows(scores.shape)
        share = self.share(tf.cast(nonzeros, tf.int64), rows)
        share = tf.clip_by_value(share, *self.bounds(scores.shape))
        chosen = selection.largest_in_rows(
            self.to_rows(scores),
            self.to_rows(candidates),
            tf.fill([rows], share),
        )
        return self.from_rows(chosen, scores.shape)

    def drop_and_grow(
        self,
        weights: tf.Tensor,
        mask: tf.Tensor,
        grow_scores: tf.Tensor,
        count: int | tf.Tensor,
    ) -> MaskUpdate:
        """Drops over the whole weight, grows in the rows that lost.

        The nnz - count connections of largest |weight| are kept, wherever
        they are; each row is then filled up to the number that it had with
        the largest |score| outside of them.
        """
        nonzeros = selection.count_true(mask)
        count = tf.clip_by_value(tf.cast(count, tf.int64), 0, nonzeros)
        kept = selection.largest_mask(weights, mask, nonzeros - count)
        free = self.to_rows(~kept)
        had = selection.count_true_in_rows(self.to_rows(mask))
        has = selection.count_true_in_rows(~free)
        grown = selection.largest_in_rows(
            self.to_rows(grow_scores), free, had - has
        )
        new_mask = kept | self.from_rows(grown, weights.shape)
        return structure.updated(mask, new_mask, grow_scores)

    def _rows(self, shape: Sequence[int]) -> int:
        return math.prod(shape) // self.row_size(shape)
