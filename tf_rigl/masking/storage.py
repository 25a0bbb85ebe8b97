"""Storage of the values and the mask of one masked weight.

A `Storage` is the only place that assigns to the variables of a masked weight's
values and mask, which keeps them consistent: values at masked positions are
zero. Code above `masking` uses it through `MaskedWeight.set_mask` and similar
methods; `value_guard` and `constraint` use it to repair writes by users and
optimizers. `compressed_storage` is one whose variable has the active
connections alone.
"""

import abc
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.masking.sparse_mask import SparseMask


class Storage(abc.ABC):
    """The values and the mask of one weight, seen as dense tensors.

    All tensors that it accepts and returns have the shape of the weight.

    Attributes:
        variable: the TensorFlow variable that the layer computes with and the
            optimizer trains, or one replica's component of it. Use it only for
            the optimizer's purposes: its step, its slots and gradients of a
            loss.
        is_compressed: whether the variable has the active connections alone,
            in the order of their index.
    """

    variable: Any
    is_compressed: bool = False

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight."""

    @property
    @abc.abstractmethod
    def mask(self) -> tf.Tensor:
        """The current mask, bool, true where a connection is active."""

    @property
    def num_active(self) -> int:
        """Number of active connections."""
        return int(np.count_nonzero(self.mask.numpy()))

    def sparse_mask(self) -> SparseMask:
        """Returns the active positions of the current mask."""
        return SparseMask(self.shape, np.flatnonzero(self.mask.numpy()))

    @property
    @abc.abstractmethod
    def variables(self) -> tuple[tf.Variable, ...]:
        """The variables that a traced graph captures for this weight."""

    @property
    def dtype(self) -> tf.DType:
        """Data type of the values."""
        return tf.as_dtype(self.variable.dtype)

    @property
    def device(self) -> str:
        """Name of the device that holds the values."""
        return self.variable.device

    @abc.abstractmethod
    def values(self) -> tf.Tensor:
        """Returns the current values, with zeros at masked positions."""

    @abc.abstractmethod
    def set(self, mask: Any, values: Any = None) -> None:
        """Sets the bool mask, and the values with it.

        Without `values`, active connections keep their values and new ones
        start at zero. Masked positions always become zero.
        """

    @abc.abstractmethod
    def set_values(self, values: Any) -> None:
        """Sets the values of active connections; all others become zero."""

    @abc.abstractmethod
    def on(self, variable: Any) -> "Storage":
        """Returns this storage with the values of one replica's variable."""


class DenseStorage(Storage):
    """A variable of the weight's shape and a bool variable for the mask.

    Reading adds no cost to reading the variable. That masked positions are zero
    is an invariant, maintained by the optimizer (see `constraint`) and by the
    setters here.
    """

    def __init__(self, variable: Any, mask: tf.Variable) -> None:
        self.variable = variable
        self._mask = mask

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._mask.shape)

    @property
    def mask(self) -> tf.Tensor:
        return tf.convert_to_tensor(self._mask)

    @property
    def variables(self) -> tuple[tf.Variable, ...]:
        return self.variable, self._mask

    def values(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.variable)

    def set(self, mask: Any, values: Any = None) -> None:
        # The values come first: if they do not fit, nothing changes.
        self._assign(self.values() if values is None else values, mask)
        assign_unguarded(self._mask, mask)

    def set_values(self, values: Any) -> None:
        self._assign(values, self.mask)

    def on(self, variable: Any) -> Storage:
        return DenseStorage(variable, self._mask)

    def _assign(self, values: Any, mask: Any) -> None:
        values = tf.convert_to_tensor(values, self.dtype)
        assign_unguarded(self.variable, masked(values, mask))


class FollowingStorage(DenseStorage):
    """A variable that has the mask of another weight, or of its units.

    Args:
        variable: the variable, with an element for each of the mask.
        mask: the variable of the other weight's mask, which only that weight's
            storage sets.
    """

    def set(self, mask: Any, values: Any = None) -> None:
        del mask, values
        raise TypeError("Set the mask of the weight that this one follows.")

    def on(self, variable: Any) -> Storage:
        return FollowingStorage(variable, self._mask)


def assign_unguarded(variable: Any, value: Any) -> None:
    """Assigns through the method of the variable's class.

    The variable itself may have an overriding method that masks; see
    `value_guard`.
    """
    type(variable).assign(variable, value)


def masked(values: Any, mask: Any) -> tf.Tensor:
    """Returns a tensor or variable with zeros at masked positions.

    Values are selected and not multiplied, since NaN and infinity times zero
    are not zero.
    """
    values = tf.convert_to_tensor(values)

    # `tf.where` broadcasts and takes twice as long on CPUs.
    return tf.raw_ops.Select(
        condition=tf.convert_to_tensor(mask), x=values, y=tf.zeros_like(values)
    )


def assign_masked(variable: Any, mask: Any) -> None:
    """Zeroes a variable, such as an optimizer slot, at masked positions."""
    assign_unguarded(variable, masked(variable, mask))
