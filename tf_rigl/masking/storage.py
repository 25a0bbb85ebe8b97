"""Storage of the values and the mask of one masked weight.

A `Storage` is the only place that assigns to the variables behind a masked
weight's values and mask, so that the two always fit: a masked position is
zero. Everything above `masking` goes through it, by `MaskedWeight.set_mask`
and its like; `value_guard` and `constraint` do for what users and optimizers
write past it. A storage whose variable holds only the active connections
(`values [nnz]` beside index arrays, for native kernels) is to come behind
this interface without a change to its callers.
"""

import abc
from collections.abc import Mapping
from typing import Any

import tensorflow as tf


class Storage(abc.ABC):
    """The values and the mask of one weight, seen as dense tensors.

    All tensors that it takes and gives have the shape of the weight,
    whatever it keeps.

    Attributes:
        variable: the TensorFlow variable that the layer computes with and
            the optimizer trains, or one replica's component of it. Only what
            is the optimizer's business needs it: its own step, its slots,
            gradients of a loss.
    """

    variable: Any

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight."""

    @property
    @abc.abstractmethod
    def mask(self) -> tf.Tensor:
        """The present mask, bool, true where a connection is active."""

    @property
    @abc.abstractmethod
    def variables(self) -> tuple[tf.Variable, ...]:
        """The variables that a traced graph captures through this storage."""

    @property
    def dtype(self) -> tf.DType:
        """Data type of the values."""
        return tf.as_dtype(self.variable.dtype)

    @property
    def device(self) -> str:
        """Name of the device that the values are on."""
        return self.variable.device

    @abc.abstractmethod
    def values(self) -> tf.Tensor:
        """Returns the present values, zeros where they are masked."""

    @abc.abstractmethod
    def set(self, mask: Any, values: Any = None) -> None:
        """Sets the mask, bool, and the values with it.

        By default active connections hold what they hold already, zero if new.
        Masked positions become zero in any case.
        """

    @abc.abstractmethod
    def set_values(self, values: Any) -> None:
        """Sets the values of the active connections, others to zero."""

    @abc.abstractmethod
    def on(self, variable: Any) -> "Storage":
        """Returns this storage with the values in one replica's variable."""


class DenseStorage(Storage):
    """A variable of the weight's shape and a bool variable beside it.

    Reading costs nothing beyond reading the variable: that masked positions
    are zero is an invariant, kept by whoever trains the variable (see
    `constraint`) and by the setters here.
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
        # The values first: if they do not fit, nothing has changed.
        self._assign(self.values() if values is None else values, mask)
        assign_unguarded(self._mask, mask)

    def set_values(self, values: Any) -> None:
        self._assign(values, self.mask)

    def on(self, variable: Any) -> Storage:
        return DenseStorage(variable, self._mask)

    def _assign(self, values: Any, mask: Any) -> None:
        values = tf.convert_to_tensor(values, self.dtype)
        assign_unguarded(self.variable, masked(values, mask))


# Storages by the name that a masked layer's configuration has for them.
STORAGES: Mapping[str, type[DenseStorage]] = {"dense": DenseStorage}


def assign_unguarded(variable: Any, value: Any) -> None:
    """Assigns by the method of the variable's class.

    On the variable itself there may be one that masks; see `value_guard`.
    """
    type(variable).assign(variable, value)


def masked(values: Any, mask: Any) -> tf.Tensor:
    """Returns values, a tensor or variable, with zeros where masked.

    Selected, not multiplied: NaN and infinity times zero are not zero.
    """
    values = tf.convert_to_tensor(values)

    # Not `tf.where`, which broadcasts and takes twice as long on processors.
    return tf.raw_ops.Select(
        condition=tf.convert_to_tensor(mask), x=values, y=tf.zeros_like(values)
    )


def assign_masked(variable: Any, mask: Any) -> None:
    """Sets a variable, such as an optimizer's slot, to zero where masked."""
    variable.assign(masked(variable, mask))
