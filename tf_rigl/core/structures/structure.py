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
    """A set of allowed masks: finds the best or a random one of them.

    Tensors have the shape [positions, inputs, units], as
    `kernel_layout.KernelLayout.view` makes it; only `Unstructured` takes any
    shape. Everything is the same bit for bit in eager mode, in a graph and
    under XLA; ties go to the lowest index.
    """

    # The name under which flags, configurations and reports know it.
    name: ClassVar[str]

    def check(self, shape: Sequence[int], path: str) -> None:
        """Checks that a weight can have the structure.

        Args:
            shape: the weight's shape, as the structure sees it.
            path: the weight's path, for the message.

        Raises:
            ValueError: if it cannot.
        """

    def units(self, shape: Sequence[int]) -> int:
        """Counts the parts of a weight that are active or not as a whole."""

    def active_units(self, shape: Sequence[int], nonzeros: int) -> int:
        """Counts those that are active where `nonzeros` are asked for."""

    def connections(self, shape: Sequence[int], nonzeros: int) -> int:
        """Counts the connections of a mask where `nonzeros` are asked for.

        Args:
            shape: the weight's shape, as the structure sees it.
            nonzeros: number of connections, from 0 to that of elements.

        Returns:
            The nearest number that the structure can have by its rule of
            rounding; asking for it again gives the same.

        Raises:
            ValueError: for a number of connections out of range.
        """

    def random_mask(
        self, shape: Sequence[int], nonzeros: int, seed: int, path: str
    ) -> tf.Tensor:
        """Draws a uniformly random mask of the structure.

        Args:
            shape: the weight's shape, as the structure sees it.
            nonzeros: number of connections asked for.
            seed: the user's seed.
            path: the weight's path.

        Returns:
            bool tensor of the shape with `connections(shape, nonzeros)` true
            entries.

        Raises:
            ValueError: as `check` does.
        """

    def largest(
        self,
        scores: tf.Tensor,
        nonzeros: int | tf.Tensor,
        candidates: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The mask of the structure that keeps the largest magnitudes.

        NaN counts as larger than infinity.

        Args:
            scores: float tensor. Only its magnitude counts.
            nonzeros: number of connections asked for, an int or an integer
                scalar tensor.
            candidates: bool tensor, a mask of the same structure: what it
                excludes stays out. By default everything competes.

        Returns:
            bool tensor with `connections(shape, nonzeros)` true entries, or
            fewer where there are fewer candidates.
        """

    def drop_and_grow(
        self,
        weights: tf.Tensor,
        mask: tf.Tensor,
        grow_scores: tf.Tensor,
        count: int | tf.Tensor,
    ) -> MaskUpdate:
        """Drops what is weakest and grows as much elsewhere.

        The rules of `drop_and_grow.drop_and_grow` hold: what is inactive
        never competes for being kept, what is kept never for growth, what
        was just dropped may grow back, and a score that is not finite leaves
        the mask as it is.

        Args:
            weights: float tensor.
            mask: bool tensor of the same shape, a mask of the structure.
            grow_scores: float tensor of the same shape. Only its magnitude
                counts.
            count: integer scalar, number of connections to move; more than
                there are means all of them.

        Returns:
            A `MaskUpdate` with as many active units as before.
        """

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, plain JSON values."""


def check_view(structure: Structure, shape: Sequence[int], path: str) -> None:
    """Raises a ValueError unless a shape is [positions, inputs, units]."""
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(
            f"{structure} sees a weight as [positions, inputs, units]. "
            f"Received: shape={tuple(shape)} for {path!r}. Pass the weight "
            "through `KernelLayout.view`."
        )


def check_nonzeros(shape: Sequence[int], nonzeros: int) -> None:
    """Raises a ValueError unless a weight can have so many connections."""
    if not 0 <= nonzeros <= math.prod(shape):
        raise ValueError(
            "`nonzeros` must be between 0 and the number of elements, "
            f"{math.prod(shape)}. Received: nonzeros={nonzeros} for "
            f"shape={tuple(shape)}."
        )
