"""A mask as the list of its active positions."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class SparseMask:
    """The active positions of a mask, for one too large to be dense.

    Attributes:
        shape: the shape of the weight.
        positions: int64 [nnz], flat positions of the active connections in
            ascending order, as of `np.flatnonzero`.
    """

    shape: tuple[int, ...]
    positions: np.ndarray

    @property
    def nnz(self) -> int:
        """Number of active connections."""
        return len(self.positions)

    @property
    def size(self) -> int:
        """Number of elements of the weight."""
        return math.prod(self.shape)

    def nonzero(self) -> tuple[np.ndarray, ...]:
        """Returns the positions by axis, as `np.nonzero` of the dense mask."""
        return np.unravel_index(self.positions, self.shape)

    def to_dense(self) -> np.ndarray:
        """Returns the mask as a bool array of `shape`, one byte an element."""
        mask = np.zeros(self.size, bool)
        mask[self.positions] = True
        return mask.reshape(self.shape)

    def __repr__(self) -> str:
        return f"SparseMask(shape={self.shape}, nnz={self.nnz})"
