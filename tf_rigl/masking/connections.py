"""The active connections of a weight that has no dense variable.

The index is in variables of the mask store, the values in the variable that
the optimizer trains. Files hold the weight and its mask as dense arrays, the
same as those of masked weights, so either storage loads the files of the other.
"""

import math
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import sparse_ops
from tf_rigl.backend.native_ops import SparseIndex
from tf_rigl.backend.native_ops import column_dtype
from tf_rigl.masking import stored_arrays
from tf_rigl.masking.stored_arrays import StoredArray


class Connections:
    """The index of one weight's active connections, and their values.

    It stands in a mask store in place of a bool variable and, to what saves
    and loads that, looks like one.

    Args:
        name: path of the weight, for errors.
        shape: shape of the dense weight.
        inputs: number of its inputs K; the others are outputs.
        index: the variables of the index, of static shapes.

    Attributes:
        values: the variable of the values [nnz]; None before the layer has one.
        observer: see `sparse_ops.spmm`; set while a method needs it.
        came_from: for each connection, where its value was before the last
            change from outside of training, -1 if it is new; int64 [nnz].
    """

    values: Any = None
    observer: sparse_ops.Observer | None = None
    came_from: np.ndarray | None = None

    def __init__(
        self, name: str, shape: tuple[int, ...], inputs: int, index: SparseIndex
    ) -> None:
        self.name = name
        self.shape = tf.TensorShape(shape)
        self.index = index
        self.matrix_shape = inputs, math.prod(shape) // inputs
        # The weight of a file, whose mask is loaded after it.
        self._loaded: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def size(self) -> int:
        """Number of connections, nnz."""
        return int(self.index.cols.shape[0])

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """The variables of the index by name."""
        return self.index._asdict()

    def tensors(self) -> SparseIndex:
        """Returns the present index."""
        return SparseIndex(*map(tf.convert_to_tensor, self.index))

    def positions(self) -> tf.Tensor:
        """Returns the flat positions in the order of the values, int64."""
        return sparse_ops.positions_of(self.tensors())

    def mask(self) -> tf.Tensor:
        """Returns the dense mask, bool of the weight's shape."""
        ones = tf.ones([self.size], tf.int32)
        dense = sparse_ops.dense(ones, self.tensors())
        return tf.reshape(tf.cast(dense, tf.bool), self.shape)

    def dense(self, values: Any = None) -> tf.Tensor:
        """Returns values as a dense tensor; by default the present ones."""
        values = tf.convert_to_tensor(self.values if values is None else values)
        dense = sparse_ops.dense(values, self.tensors())
        return tf.reshape(dense, self.shape)

    def write_values(self, store: Any, key: str) -> None:
        """Writes the weight into a file, as a dense array."""
        self._write(store, key, self.values.numpy())

    def write_mask(self, store: Any, key: str) -> None:
        """Writes the mask into a file, as a dense array."""
        self._write(store, key, np.ones(self.size, bool))

    def _write(self, store: Any, key: str, values: np.ndarray) -> None:
        positions = self._positions()
        order = np.argsort(positions)
        stored_arrays.write(
            store, key, tuple(self.shape), positions[order], values[order]
        )

    def load_mask(self, stored: StoredArray) -> None:
        """Sets the mask from a dense array in a file.

        Raises:
            ValueError: if it has another number of connections.
        """
        found = []
        number = 0
        for start, block in stored.blocks():
            active = np.flatnonzero(block) + start
            number += len(active)
            # Of too many, their number is enough for the error.
            found.append(active if number <= self.size else active[:0])
        if number != self.size:
            raise self._other_number(number)
        self.set_positions(np.concatenate(found))

    def assign_index(self, index: SparseIndex) -> None:
        """Sets the variables of the index; values must be set with it."""
        for variable, new in zip(self.index, index, strict=True):
            variable.assign(new)

    def load_values(self, stored: StoredArray) -> None:
        """Sets the values from a dense array in a file, whose mask may follow.

        Raises:
            ValueError: if it has another shape.
        """
        if stored.shape != tuple(self.shape):
            raise ValueError(
                "A file must hold the weights of this layer. Received: an "
                f"array of shape {stored.shape} for {self.name!r} of shape "
                f"{tuple(self.shape)}. Build the model as when it was saved."
            )
        wanted = self._positions()
        order = np.argsort(wanted)
        ordered = wanted[order]
        values = np.zeros(self.size, self.values.dtype.as_numpy_dtype)
        positions, nonzero = [], []
        number = 0
        for start, block in stored.blocks():
            first, end = np.searchsorted(ordered, (start, start + len(block)))
            values[order[first:end]] = block[ordered[first:end] - start]

            # A mask that follows has as many connections, so that an array
            # with more values is that of a dense model.
            active = np.flatnonzero(block)
            number += len(active)
            if number <= self.size:
                positions.append(active + start)
                nonzero.append(block[active])
        self._loaded = (
            (np.concatenate(positions), np.concatenate(nonzero))
            if number <= self.size
            else None
        )
        self.values.assign(values)

    def set_positions(self, positions: np.ndarray) -> None:
        """Makes other positions active; values stay where they are active.

        Args:
            positions: int64 [nnz], distinct flat positions in any order.

        Raises:
            ValueError: if they are not nnz.
        """
        if len(positions) != self.size:
            raise self._other_number(len(positions))

        before = None if self.values is None else self._positions()
        index, order = sparse_ops.make_index(
            tf.constant(positions, tf.int64), self.matrix_shape
        )
        self.assign_index(index)
        if before is None:
            return

        after = positions[order.numpy()]
        self.moved_from(before)
        present = self.values.numpy()
        values = self._look_up(before, present, after)
        if self._loaded is not None:
            # Unless training has changed them since.
            if np.array_equal(self._look_up(*self._loaded, before), present):
                values = self._look_up(*self._loaded, after)
            self._loaded = None
        self.values.assign(values)

    def _other_number(self, number: int) -> ValueError:
        return ValueError(
            "A weight stored by its connections keeps their number. "
            f"Received: {number} connections for {self.name!r}, which has "
            f"{self.size}. Call `tf_rigl.store_masked(model)` before it "
            "changes."
        )

    def moved_from(self, before: np.ndarray) -> None:
        """Records where connections came from, given the positions before."""
        known = np.arange(1, self.size + 1)
        self.came_from = self._look_up(before, known, self._positions()) - 1

    def settle(self) -> None:
        """Forgets the values of a loaded file that no mask has followed."""
        self._loaded = None

    def _positions(self) -> np.ndarray:
        return self.positions().numpy()

    @staticmethod
    def _look_up(
        positions: np.ndarray, values: np.ndarray, wanted: np.ndarray
    ) -> np.ndarray:
        """Returns the values at wanted positions, 0 where there is none."""
        if not len(positions):
            return np.zeros(wanted.shape, values.dtype)
        order = np.argsort(positions)
        ordered = positions[order]
        place = np.searchsorted(ordered, wanted).clip(max=len(ordered) - 1)
        found = values[order[place]]
        return np.where(ordered[place] == wanted, found, 0).astype(values.dtype)


def make_connections(
    add: Callable[[str, tuple[int, ...], str, int], tf.Variable],
    number: int,
    name: str,
    shape: tuple[int, ...],
    inputs: int,
    size: int,
) -> Connections:
    """Makes the variables of an index, not yet set.

    Args:
        add: makes a variable of a store.
        number: number of the weight in its layer.
        name: path of the weight, for errors.
        shape: shape of the dense weight.
        inputs: number of its inputs.
        size: number of connections.
    """
    outputs = math.prod(shape) // inputs
    kinds: Mapping[str, tuple[int, tf.DType]] = {
        "row_ptr": (outputs + 1, tf.int32),
        "cols": (size, column_dtype(inputs)),
        "t_ptr": (inputs + 1, tf.int32),
        "t_cols": (size, column_dtype(outputs)),
        "t_perm": (size, tf.int32),
    }
    index = SparseIndex(
        **{
            part: add(f"{part}_{number}", (length,), dtype.name, 0)
            for part, (length, dtype) in kinds.items()
        }
    )
    return Connections(name, tuple(shape), inputs, index)


def of_layer(layer: Any) -> dict[str, tuple[Any, Connections]]:
    """Returns the Keras variables and connections by a layer's attributes.

    They replace the dense variables that the attributes would hold.
    """
    return vars(layer).get(ATTRIBUTE, {})


def all_of(layer: Any) -> Iterator[Connections]:
    """Yields all connections of a layer's own weights."""
    for _, connections in of_layer(layer).values():
        yield connections


# Attribute of a layer that computes with connections.
ATTRIBUTE = "_tf_rigl_connections"
