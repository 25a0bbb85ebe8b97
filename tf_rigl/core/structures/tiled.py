"""Structures that activate or deactivate boxes of a weight as a whole."""

import abc
import dataclasses
import math
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import Literal

import tensorflow as tf

from tf_rigl.core import checks
from tf_rigl.core import random_masks
from tf_rigl.core import selection
from tf_rigl.core.drop_and_grow import MaskUpdate
from tf_rigl.core.drop_and_grow import changed_if_finite
from tf_rigl.core.structures import structure
from tf_rigl.core.structures import tiles


class Tiled(abc.ABC):
    """Base of structures whose units are tiles of the weight.

    Of B tiles with n elements in total, B - floor((n - nonzeros) · B / n) are
    active if `nonzeros` connections are requested, and at least one if any are.
    The number of active tiles is always exact. If tiles at the ends are cut
    off, the number of connections depends on which tiles are active;
    `connections` then returns the mean over all choices, rounded down.
    """

    name: ClassVar[str]
    pooling: tiles.Pooling

    @abc.abstractmethod
    def tile(self, shape: tiles.Size) -> tiles.Size:
        """Returns the size of a tile, clipped to the weight's shape."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as plain JSON values."""
        return dataclasses.asdict(self)  # type: ignore[call-overload]

    def check(self, shape: Sequence[int], path: str) -> None:
        """Accepts every weight of shape [positions, inputs, units]."""
        structure.check_view(self, shape, path)

    def units(self, shape: Sequence[int]) -> int:
        """Returns the number of tiles."""
        return math.prod(self._grid(shape))

    def active_units(self, shape: Sequence[int], nonzeros: int) -> int:
        """Returns the number of active tiles."""
        structure.check_nonzeros(shape, nonzeros)
        return int(self._active(shape, nonzeros))

    def connections(self, shape: Sequence[int], nonzeros: int) -> int:
        """Returns the number of elements in the active tiles; see `Tiled`."""
        active = self.active_units(shape, nonzeros)
        return active * math.prod(shape) // self.units(shape)

    def random_mask(
        self, shape: Sequence[int], nonzeros: int, seed: int, path: str
    ) -> tf.Tensor:
        """Draws a uniformly random choice of tiles."""
        self.check(shape, path)
        active = self.active_units(shape, nonzeros)
        tiles = random_masks.random_mask(self._grid(shape), active, seed, path)
        return self._fill(tiles, shape)

    def largest(
        self,
        scores: tf.Tensor,
        nonzeros: int | tf.Tensor,
        candidates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Keeps the tiles of largest pooled magnitude."""
        keys = self._keys(scores)
        if candidates is not None:
            keys = tf.where(self._any(candidates), keys, -1)
        nonzeros = tf.cast(nonzeros, tf.int64)
        active = self._active(scores.shape, nonzeros)
        chosen = selection.largest_integers_mask(keys, active)
        return self._fill(chosen, scores.shape)

    def drop_and_grow(
        self,
        weights: tf.Tensor,
        mask: tf.Tensor,
        grow_scores: tf.Tensor,
        count: int | tf.Tensor,
    ) -> MaskUpdate:
        """Drops and grows floor(count · B / n) tiles by pooled magnitude."""
        shape = weights.shape
        active = self._any(mask)
        nonzeros = selection.count_true(active)
        elements = math.prod(shape)
        count = tf.clip_by_value(tf.cast(count, tf.int64), 0, elements)
        moved = tf.minimum(count * self.units(shape) // elements, nonzeros)

        kept = selection.largest_integers_mask(
            tf.where(active, self._keys(weights), -1), nonzeros - moved
        )
        # The keys must be the first value, because `tf.where` converts -1 to
        # their dtype, which is int64 for float64.
        grown = selection.largest_integers_mask(
            tf.where(~kept, self._keys(grow_scores), -1), moved
        )
        new = self._fill(kept | grown, shape)
        return changed_if_finite(mask, new, grow_scores)

    def _active(self, shape: Sequence[int], nonzeros: Any) -> Any:
        elements, units = math.prod(shape), self.units(shape)
        return units - (elements - nonzeros) * units // elements

    def _tile(self, shape: Sequence[int]) -> tiles.Size:
        positions, inputs, units = shape
        return self.tile((positions, inputs, units))

    def _grid(self, shape: Sequence[int]) -> tiles.Size:
        positions, inputs, units = shape
        return tiles.grid_of((positions, inputs, units), self._tile(shape))

    def _keys(self, values: tf.Tensor) -> tf.Tensor:
        tile = self._tile(values.shape)
        return tiles.tile_keys(values, tile, self.pooling)

    def _any(self, mask: tf.Tensor) -> tf.Tensor:
        return tiles.any_in_tile(mask, self._tile(mask.shape))

    def _fill(self, chosen: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
        positions, inputs, units = shape
        size = (positions, inputs, units)
        return tiles.fill_tiles(chosen, size, self._tile(shape))


@dataclasses.dataclass(frozen=True)
class Block(Tiled):
    """Blocks of `height` inputs by `width` units at each position.

    If the block's size does not divide the weight's, the blocks at the end of
    an axis are smaller. They count as whole blocks, and their average is taken
    over the elements that they have. Only the number of active blocks is an
    exact invariant; see `Tiled`.

    Attributes:
        height: inputs per block.
        width: units per block.
        pooling: how the magnitudes in a block are pooled to its score,
            `"average"` or `"max"`.

    Raises:
        TypeError: if a size is not an integer.
        ValueError: if a size is below 1 or the pooling is unknown.

    Reference: Narang et al., "Block-Sparse Recurrent Neural Networks",
    arXiv:1711.02782 (`"max"`); `"average"` is the default of TensorFlow's
    model optimization toolkit and of JaxPruner (arXiv:2304.14082).
    """

    name: ClassVar[str] = "block"

    height: int
    width: int
    pooling: tiles.Pooling = "average"

    def __post_init__(self) -> None:
        checks.check_positive("height", self.height)
        checks.check_positive("width", self.width)
        checks.check_choice("pooling", self.pooling, tiles.POOLINGS)

    def tile(self, shape: tiles.Size) -> tiles.Size:
        """Returns one position by `height` inputs by `width` units."""
        _, inputs, units = shape
        return 1, min(self.height, inputs), min(self.width, units)


@dataclasses.dataclass(frozen=True)
class Channel(Tiled):
    """Whole channels: a unit or an input keeps all connections or none.

    A unit is an output channel of a convolution or a neuron of a dense layer;
    an input is an input channel or feature. Of c channels with n elements in
    total, c - floor((n - nonzeros) · c / n) are active.

    Attributes:
        axis: `"units"` or `"inputs"`, the kind of channel.
        pooling: how the magnitudes in a channel are pooled to its score,
            `"average"` or `"max"`.

    Raises:
        ValueError: if the axis or pooling is unknown.

    Reference: Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017
    (arXiv:1608.08710), section 3.1, units by their sum of magnitudes.
    """

    name: ClassVar[str] = "channel"

    axis: Literal["units", "inputs"] = "units"
    pooling: tiles.Pooling = "average"

    def __post_init__(self) -> None:
        checks.check_choice("axis", self.axis, ("units", "inputs"))
        checks.check_choice("pooling", self.pooling, tiles.POOLINGS)

    def tile(self, shape: tiles.Size) -> tiles.Size:
        """Returns one channel, which spans the two other axes."""
        positions, inputs, units = shape
        if self.axis == "units":
            return positions, inputs, 1
        return positions, 1, units
