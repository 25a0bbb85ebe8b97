"""The interface of sparsity structures."""

import math
from collections.abc import Sequence
from typing import Any
from typing import ClassVar
from typing import Protocol
from typing import runtime_checkable

import tensorflow as tf

from tf_rigl.core.drop_and_grow import MaskUpdate


@runtime_checkable
class Structure(Protocol):
    """A set of allowed masks, from which the best or a random one is chosen.

    Tensors have the shape [positions, inputs, units], as returned by
    `kernel_layout.KernelLayout.view`; only `Unstructured` accepts any shape.
    Results are bit for bit the same in eager mode, in a graph and under XLA;
    ties go to the lowest index.
    """

    # The name used in flags, configurations and reports.
    name: ClassVar[str]

    def check(self, shape: Sequence[int], path: str) -> None:
        """Checks that a weight can have the structure.

        Args:
            shape: the weight's shape, as the structure sees it.
            path: the weight's path, used in the error message.

        Raises:
            ValueError: if the weight cannot have the structure.
        """

    def units(self, shape: Sequence[int]) -> int:
        """Returns the number of units, each active or inactive as a whole."""

    def active_units(self, shape: Sequence[int], nonzeros: int) -> int:
        """Returns the number of active units if `nonzeros` are requested."""

    def connections(self, shape: Sequence[int], nonzeros: int) -> int:
        """Returns the number of connections if `nonzeros` are requested.

        Args:
            shape: the weight's shape, as the structure sees it.
            nonzeros: number of connections, from 0 to the number of elements.

        Returns:
            The number that the structure's rounding rule gives; requesting that
            number again returns it unchanged.

        Raises:
            ValueError: if `nonzeros` is out of range.
        """

    def random_mask(
        self, shape: Sequence[int], nonzeros: int, seed: int, path: str
    ) -> tf.Tensor:
        """Draws a uniformly random mask of the structure.

        Args:
            shape: the weight's shape, as the structure sees it.
            nonzeros: requested number of connections.
            seed: the user's seed.
            path: the weight's path, which is mixed into the seed.

        Returns:
            bool tensor of the given shape with `connections(shape, nonzeros)`
            true entries.

        Raises:
            ValueError: if the weight cannot have the structure.
        """

    def largest(
        self,
        scores: tf.Tensor,
        nonzeros: int | tf.Tensor,
        candidates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns the structured mask that keeps the largest magnitudes.

        NaN counts as larger than infinity.

        Args:
            scores: float tensor. Only its magnitude counts.
            nonzeros: requested number of connections, an int or an integer
                scalar tensor.
            candidates: bool tensor, a mask of the same structure whose false
                entries stay inactive. By default every position is a candidate.

        Returns:
            bool tensor with `connections(shape, nonzeros)` true entries, or
            fewer if there are not enough candidates.
        """

    def drop_and_grow(
        self,
        weights: tf.Tensor,
        mask: tf.Tensor,
        grow_scores: tf.Tensor,
        count: int | tf.Tensor,
    ) -> MaskUpdate:
        """Drops the weakest units and grows as many elsewhere.

        The rules of `drop_and_grow.drop_and_grow` apply: inactive units never
        compete for being kept, kept units never compete for growth, units just
        dropped may grow back, and a non-finite score leaves the mask as it is.

        Args:
            weights: float tensor.
            mask: bool tensor of the same shape, a mask of the structure.
            grow_scores: float tensor of the same shape. Only its magnitude
                counts.
            count: integer scalar, the number of connections to move, at most
                all of them.

        Returns:
            A `MaskUpdate` with as many active units as before.
        """

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments as plain JSON values."""


def check_view(structure: Structure, shape: Sequence[int], path: str) -> None:
    """Raises a ValueError unless `shape` is [positions, inputs, units]."""
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            f"{structure} sees a weight as [positions, inputs, units]. "
            f"Received: shape={tuple(shape)} for {path!r}. Pass the weight "
            "through `KernelLayout.view`."
        )


def check_nonzeros(shape: Sequence[int], nonzeros: int) -> None:
    """Raises a ValueError unless 0 <= nonzeros <= number of elements."""
    if not 0 <= nonzeros <= math.prod(shape):
        raise ValueError(
            "`nonzeros` must be between 0 and the number of elements, "
            f"{math.prod(shape)}. Received: nonzeros={nonzeros} for "
            f"shape={tuple(shape)}."
        )
