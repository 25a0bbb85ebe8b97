"""The storage of a weight by its active connections."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.masking.connections import Connections
from tf_rigl.masking.sparse_mask import SparseMask
from tf_rigl.masking.storage import Storage
from tf_rigl.masking.storage import assign_unguarded


class CompressedStorage(Storage):
    """A variable of the active connections' values, and their index.

    Dense tensors of the interface are made when they are asked for. The number
    of connections never changes.
    """

    is_compressed = True

    def __init__(self, variable: Any, mask: Connections) -> None:
        self.variable = variable
        self.connections = mask

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight."""
        return tuple(self.connections.shape)

    @property
    def mask(self) -> tf.Tensor:
        """The current mask, made anew."""
        return self.connections.mask()

    @property
    def num_active(self) -> int:
        """Number of active connections."""
        return self.connections.size

    def sparse_mask(self) -> SparseMask:
        """Returns the active positions, without a dense mask."""
        positions = np.sort(self.connections.positions().numpy())
        return SparseMask(self.shape, positions)

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        """The variables that a traced graph captures."""
        return self.variable, *self.connections.index

    def values(self) -> tf.Tensor:
        """Returns the current values as a dense tensor."""
        return self.connections.dense(self.variable)

    def set(self, mask: Any, values: Any = None) -> None:
        """Sets the mask, of as many connections, and the values."""
        self.connections.set_positions(np.flatnonzero(np.asarray(mask)))
        if values is not None:
            self.set_values(values)

    def set_values(self, values: Any) -> None:
        """Sets the values of active connections."""
        flat = tf.reshape(tf.convert_to_tensor(values, self.dtype), [-1])
        present = tf.gather(flat, self.connections.positions())
        assign_unguarded(self.variable, present)

    def on(self, variable: Any) -> Storage:
        """Returns this storage with another variable of values."""
        return CompressedStorage(variable, self.connections)
