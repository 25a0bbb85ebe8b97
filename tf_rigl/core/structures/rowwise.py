"""Structures with a fixed number of active connections in each group."""

import abc
import dataclasses
import math
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

import tensorflow as tf

from tf_rigl.core import random_masks
from tf_rigl.core import selection
from tf_rigl.core.checks import check_positive
from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.drop_and_grow import changed_if_finite
from tf_rigl.core.structures import structure


class Rowwise(abc.ABC):
    """Base of structures whose groups are rows of equal size.

    A weight is laid out as [rows, size] with one group per row, and every row
    gets the same number of connections.
    """

    name: ClassVar[str]

    @abc.abstractmethod
    def row_size(self, shape: Sequence[int]) -> int:
        """Returns the number of elements in a row."""

    @abc.abstractmethod
    def bounds(self, shape: Sequence[int]) -> tuple[int, int]:
        """Returns the fewest and the most connections allowed in a row."""

    @abc.abstractmethod
    def share(self, nonzeros: Any, rows: int) -> Any:
        """Returns one row's share of `nonzeros`, an int or an int64 tensor."""

    @abc.abstractmethod
    def to_rows(self, tensor: tf.Tensor) -> tf.Tensor:
        """Lays out a view of the weight as [rows, size]."""

    @abc.abstractmethod
    def from_rows(self, rows: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
        """Inverts `to_rows`."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as plain JSON values."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    def check(self, shape: Sequence[int], path: str) -> None:
        """Accepts every weight of shape [positions, inputs, units]."""
        structure.check_view(self, shape, path)

    def units(self, shape: Sequence[int]) -> int:
        """Returns the number of elements, since each of them is a unit."""
        return math.prod(shape)

    def active_units(self, shape: Sequence[int], nonzeros: int) -> int:
        """Returns the number of active connections."""
        return self.connections(shape, nonzeros)

    def connections(self, shape: Sequence[int], nonzeros: int) -> int:
        """Returns the clipped share of a row times the number of rows."""
        structure.check_nonzeros(shape, nonzeros)
        fewest, most = self.bounds(shape)
        rows = self._rows(shape)
        return rows * min(max(self.share(nonzeros, rows), fewest), most)

    def random_mask(
        self, shape: Sequence[int], nonzeros: int, seed: int, path: str
    ) -> tf.Tensor:
        """Draws a random choice of connections in each row."""
        self.check(shape, path)
        structure.check_nonzeros(shape, nonzeros)
        scores = random_masks.random_scores(
            shape, random_masks.stateless_seed(seed, path)
        )
        return self.largest(scores, nonzeros)

    def largest(
        self,
        scores: tf.Tensor,
        nonzeros: int | tf.Tensor,
        candidates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Keeps the largest magnitudes in each row."""
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
        """Drops over the whole weight, then grows in the rows that lost.

        The nnz - count connections of largest |weight| are kept, wherever they
        are. Each row is then refilled to its previous number of connections
        with the largest |score| among its inactive positions.
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
        return changed_if_finite(mask, new_mask, grow_scores)

    def _rows(self, shape: Sequence[int]) -> int:
        return math.prod(shape) // self.row_size(shape)


@dataclasses.dataclass(frozen=True)
class NByM(Rowwise):
    """N active of each M consecutive inputs of a unit, at each position.

    NVIDIA's sparse tensor cores accept 2:4. If more connections than n / m are
    requested, as at the start of gradual pruning, each group has
    clip(ceil(nonzeros / groups), n, m).

    `drop_and_grow` keeps the largest |weight| of the whole weight and refills
    each group by the largest |score|, as SRigL does with the fan-in of units
    (Lasby et al., arXiv:2305.02299, section 3.1).

    Attributes:
        n: active connections in a group.
        m: consecutive inputs in a group; must divide the weight's inputs.

    Raises:
        TypeError: if an argument is not an integer.
        ValueError: unless 1 <= n <= m.

    Reference: Mishra et al., "Accelerating Sparse Deep Neural Networks",
    arXiv:2104.08378; Zhou et al., "Learning N:M Fine-grained Structured
    Sparse Neural Networks From Scratch", ICLR 2021 (arXiv:2102.04010).
    """

    name: ClassVar[str] = "n_by_m"

    n: int
    m: int

    def __post_init__(self) -> None:
        check_positive("n", self.n)
        check_positive("m", self.m)
        if self.n > self.m:
            raise ValueError(
                "`n` of `m` connections are active and must not be more. "
                f"Received: n={self.n}, m={self.m}. For 2:4 pass n=2, m=4."
            )

    def check(self, shape: Sequence[int], path: str) -> None:
        """Rejects weights whose inputs are not a multiple of m."""
        super().check(shape, path)
        self._groups(shape, path)

    def _groups(
        self, shape: Sequence[int], path: str = "a weight"
    ) -> tuple[int, int, int, int]:
        """Splits a shape into positions, groups, m and units.

        All methods go through here, so they all raise the same error if m does
        not divide the inputs.
        """
        positions, inputs, units = shape
        if inputs % self.m:
            raise ValueError(
                f"{self.n}:{self.m} sparsity needs a multiple of {self.m} "
                f"inputs. Received: {inputs} inputs for {path!r} of "
                f"[positions, inputs, units] = {list(shape)}. Leave this "
                "weight out or choose an `m` that divides them."
            )
        return positions, inputs // self.m, self.m, units

    def row_size(self, shape: Sequence[int]) -> int:
        """Returns m, the size of a group."""
        return self._groups(shape)[2]

    def bounds(self, shape: Sequence[int]) -> tuple[int, int]:
        """Allows every number from n:m to dense."""
        del shape
        return self.n, self.m

    def share(self, nonzeros: Any, rows: int) -> Any:
        """Rounds the share of a group up."""
        return -(-nonzeros // rows)

    def to_rows(self, tensor: tf.Tensor) -> tf.Tensor:
        """Orders the groups by positions, groups of inputs, and units."""
        groups = self._groups(tensor.shape)
        tensor = tf.transpose(tf.reshape(tensor, groups), [0, 1, 3, 2])
        return tf.reshape(tensor, [-1, self.m])

    def from_rows(self, rows: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
        """Inverts `to_rows`."""
        positions, groups, size, units = self._groups(shape)
        tensor = tf.reshape(rows, [positions, groups, units, size])
        tensor = tf.transpose(tensor, [0, 1, 3, 2])
        return tf.reshape(tensor, shape)


@dataclasses.dataclass(frozen=True)
class ConstantFanIn(Rowwise):
    """Every unit has k connections over its positions and inputs.

    k = floor(nonzeros / units), at least 1. Rounding down leaves fewer than
    `units` of the requested connections unused, so a weight is denser than
    requested only if k would be 0.

    `drop_and_grow` keeps the largest |weight| of the whole weight and refills
    each unit by the largest |score|, as in steps 6 and 7 of SRigL. A unit that
    has no connections (an ablated one) stays without them.

    Reference: Lasby et al., "Dynamic Sparse Training with Structured Sparsity",
    ICLR 2024 (arXiv:2305.02299), section 3.1.
    """

    name: ClassVar[str] = "constant_fan_in"

    def row_size(self, shape: Sequence[int]) -> int:
        """Returns the full fan-in of a unit, positions times inputs."""
        positions, inputs, _ = shape
        return positions * inputs

    def bounds(self, shape: Sequence[int]) -> tuple[int, int]:
        """Allows from one connection to all of them."""
        return 1, self.row_size(shape)

    def share(self, nonzeros: Any, rows: int) -> Any:
        """Rounds the share of a unit down."""
        return nonzeros // rows

    def to_rows(self, tensor: tf.Tensor) -> tf.Tensor:
        """Puts each unit in a row."""
        *_, units = tensor.shape
        return tf.transpose(tf.reshape(tensor, [-1, units]))

    def from_rows(self, rows: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
        """Inverts `to_rows`."""
        return tf.reshape(tf.transpose(rows), shape)
