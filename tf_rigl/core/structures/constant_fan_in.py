"""The same number of connections for every unit."""

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

import tensorflow as tf

from tf_rigl.core.structures.rowwise import Rowwise


@dataclasses.dataclass(frozen=True)
class ConstantFanIn(Rowwise):
    """Every unit has k connections over its positions and inputs.

    k = floor(nonzeros / units), at least 1: up to units - 1 of the
    connections asked for are not placed, so that a weight is never denser
    than asked for unless it were to have less than one connection a unit.

    `drop_and_grow` keeps the largest |weight| of the whole weight and fills
    each unit up to the number that it had, by the largest |score|: steps 6
    and 7 of SRigL. A unit without connections, an ablated one, stays without.

    Reference: Lasby et al., "Dynamic Sparse Training with Structured
    Sparsity", ICLR 2024 (arXiv:2305.02299), section 3.1.
    """

    name: ClassVar[str] = "constant_fan_in"

    def row_size(self, shape: Sequence[int]) -> int:
        """All positions and inputs of a unit."""
        positions, inputs, _ = shape
        return positions * inputs

    def bounds(self, shape: Sequence[int]) -> tuple[int, int]:
        """Allows from one connection to all."""
        return 1, self.row_size(shape)

    def share(self, nonzeros: Any, rows: int) -> Any:
        """Rounded down."""
        return nonzeros // rows

    def to_rows(self, tensor: tf.Tensor) -> tf.Tensor:
        """The units in order."""
        *_, units = tensor.shape
        return tf.transpose(tf.reshape(tensor, [-1, units]))

    def from_rows(self, rows: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
        """The inverse of `to_rows`."""
        return tf.reshape(tf.transpose(rows), shape)

    def get_config(self) -> dict[str, Any]:
        """No arguments."""
        return {}
