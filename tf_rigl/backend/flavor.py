"""The interface that hides the differences between Keras 2 and Keras 3.

Models of Keras 3 (`keras`) and Keras 2 (`tf_keras`) are told apart by the
object that is passed in. The rest of the library uses `Flavor`; only its two
implementations, `keras3.py` and `keras2.py`, import a Keras.
"""

import abc
import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import keras_bindings
from tf_rigl.backend import unset_variables
from tf_rigl.backend.keras_bindings import is_of_keras as is_of_keras

Constraint = Callable[[Any], Any]
Inputs = tuple[tuple[Any, ...], dict[str, Any]]


class Flavor(abc.ABC):
    """All operations that the library needs from one Keras."""

    # "keras3" or "keras2".
    name: str
    # The Keras module itself.
    keras: Any
    # Classes that store masks and the state of methods next to the weights.
    mask_store_class: type
    state_store_class: type
    # Names of optimizers whose step keeps a weight at zero if the weight, its
    # slots and its gradient are zero.
    zero_preserving: frozenset[str]

    def is_model(self, thing: Any) -> bool:
        """Returns whether `thing` is a model of this Keras."""
        return isinstance(thing, self.keras.Model)

    def children(self, layer: Any) -> list[Any]:
        """Returns the direct sublayers in the order of their creation."""
        if is_container(layer):
            return list(layer.layers)
        return list(layer._flatten_layers(include_self=False, recursive=False))

    @abc.abstractmethod
    def reset_names(self) -> None:
        """Makes Keras number layers without names from the start again."""

    @abc.abstractmethod
    def is_optimizer(self, thing: Any) -> bool:
        """Returns whether `thing` is an optimizer of this Keras."""

    @abc.abstractmethod
    def raw(self, variable: Any) -> tf.Variable:
        """Returns the TensorFlow variable behind a Keras variable."""

    @abc.abstractmethod
    def written_variable(self, variable: Any) -> Any:
        """Returns the variable whose methods write the weight."""

    def given_array(self, value: Any) -> Any:
        """Returns the array that the user passed to `set_weights`.

        `value` is what Keras converted it to.
        """
        return value

    @abc.abstractmethod
    def has_value(self, variable: Any) -> bool:
        """Returns whether the variable is initialized, not only announced."""

    @abc.abstractmethod
    def attach_child(self, layer: Any, name: str, child: Any) -> None:
        """Adds `child` as a tracked attribute of a layer, built or not."""

    @abc.abstractmethod
    def detach_child(self, layer: Any, name: str) -> None:
        """Undoes `attach_child`."""

    def add_unset_weight(
        self,
        add_weight: Callable[..., Any],
        shape: Sequence[int],
        dtype: tf.DType,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Adds a weight that has no memory before it is assigned.

        Args:
            add_weight: a layer's own method, to be called with the arguments.
            shape: the weight's shape.
            dtype: its dtype.
            args: positional arguments of the call.
            kwargs: keyword arguments of the call.

        Returns:
            The Keras variable.
        """
        with unset_variables.made_unset(shape, dtype):
            return add_weight(*args, **kwargs)

    @abc.abstractmethod
    def swap_weights(
        self,
        layer: Any,
        removed: Mapping[str, Any],
        values: Mapping[str, np.ndarray],
        regularizer: Any,
    ) -> list[Any]:
        """Replaces weights of a built layer by others, in their place.

        Args:
            layer: the layer whose own weights they are.
            removed: the weights to remove, by the names of their attributes.
            values: the initial values of the new ones, by such names. They
                have the dtype of the first one removed, and are trained if it
                is.
            regularizer: a regularizer of each new weight, or None.

        Returns:
            The new Keras variables.
        """

    @abc.abstractmethod
    def variable_like(self, old: Any, values: tf.Tensor) -> Any:
        """Makes a Keras variable of other values with the name of another.

        Args:
            old: a Keras variable.
            values: values of the new one, of any shape and the same dtype.
        """

    @abc.abstractmethod
    def unset_like(self, old: Any, shape: Sequence[int]) -> Any:
        """Makes a Keras variable without memory with the name of another."""

    @abc.abstractmethod
    def replace_kernel(
        self, layer: Any, old: Any, new: Any, name: str = "kernel"
    ) -> None:
        """Puts a variable in the place of a built layer's kernel.

        Args:
            layer: the layer, whose class has no other property of that name.
            old: its present Keras variable.
            new: the Keras variable to put there.
            name: the layer's attribute.
        """

    @abc.abstractmethod
    def set_constraint(
        self, variable: Any, constraint: Constraint | None
    ) -> None:
        """Sets the constraint that optimizers apply to the variable."""

    @abc.abstractmethod
    def gather(self, features: Any, indices: list[int], axis: int) -> Any:
        """Returns some features of a symbolic tensor, by an operation.

        It is one that is saved, loaded and exported without classes of ours.
        """

    @abc.abstractmethod
    def serialize(self, layer: Any) -> dict[str, Any]:
        """Returns the class and configuration of a layer for `deserialize`.

        The build and compile configurations are left out, because Keras writes
        those of the masked layer around it.
        """

    @abc.abstractmethod
    def deserialize(self, config: dict[str, Any]) -> Any:
        """Rebuilds a layer from the result of `serialize`."""

    def deserialize_with(self, config: dict[str, Any], named: Any) -> Any:
        """Rebuilds a layer likewise, with classes by their names, if any.

        From HDF5 files Keras 3 passes them on without a scope. Its scope of
        none would hide those of the scope around it.
        """
        if not named:
            return self.deserialize(config)
        with self.keras.saving.custom_object_scope(named):
            return self.deserialize(config)

    @abc.abstractmethod
    def register(self, cls: type) -> None:
        """Registers a class of masked layers under the names in saved files."""

    @abc.abstractmethod
    def can_assign(self) -> bool:
        """Returns whether variables may be assigned in the current context."""

    @abc.abstractmethod
    def updating_optimizers(self, optimizer: Any) -> list[Any]:
        """Returns the optimizers that own update rules, without wrappers."""

    def keeps_zeros(self, optimizer: Any) -> bool:
        """Returns whether a step keeps masked weights and slots at zero.

        This is known only for Keras's own classes; a subclass with the same
        name may have a different update rule.
        """
        name = type(optimizer).__name__
        own = getattr(self.keras.optimizers, name, None)
        return name in self.zero_preserving and type(optimizer) is own

    def unsupported_optimizer(self, optimizer: Any) -> str | None:
        """Returns why an optimizer cannot train sparse weights, else None."""
        if isinstance(optimizer, self.keras.optimizers.Adafactor):
            # Observed: if a row and a column are empty, the second moment
            # underflows, and the root mean square of 0 / 0 makes the whole
            # weight NaN.
            return (
                "Adafactor factors the second moment into row and column "
                "means, which makes 0 / 0 where a row and a column of a "
                "sparse weight have no connections; use Adam or Lion"
            )
        return None

    # Names of the optimizer's methods that apply all gradients of a step: the
    # outermost, which also applies constraints, and the innermost.
    apply_method: str
    apply_all_method: str

    @abc.abstractmethod
    def applied_variables(self, *args: Any) -> list[Any]:
        """Returns the variables that a call of `apply_all_method` updates.

        Args:
            *args: positional arguments of that call.
        """

    @abc.abstractmethod
    def optimizer_is_built(self, optimizer: Any) -> bool:
        """Returns whether the optimizer has been built for its variables."""

    @abc.abstractmethod
    def variable_index(self, optimizer: Any, variable: Any) -> int | None:
        """Returns a variable's index in the optimizer, None if unknown."""

    def variable_key(self, optimizer: Any, variable: Any) -> str:
        """Returns an identifier of a variable that all its replicas share."""
        return optimizer._var_key(variable)

    @abc.abstractmethod
    def own_weights(self, layer: Any) -> list[Any]:
        """Returns the layer's weights without those of its sublayers."""

    @abc.abstractmethod
    def remembered_inputs(self, model: Any) -> Inputs | None:
        """Returns the positional and keyword inputs that the model records.

        Each is a structure of specifications (with `shape` and `dtype`) or of
        bare shapes. None if the model has never seen an input.
        """

    @abc.abstractmethod
    def accumulation_steps(self, optimizer: Any) -> int:
        """Returns the number of batches per optimizer update."""

    def random_state(self, model: Any) -> list[Any]:
        """Returns the state of random generators that `variables` leaves out.

        They are in a fixed order.
        """
        del model
        return []

    @abc.abstractmethod
    def optimizer_state(self, optimizer: Any) -> list[Any]:
        """Returns all variables of an optimizer and of those that it wraps.

        They are in a fixed order; some may belong to the model, too.
        """


def place_of(variable: Any, *lists: list[Any]) -> tuple[list[Any], int]:
    """Returns the list that contains a variable, and its index there."""
    return next(
        (one, index)
        for one in lists
        for index, other in enumerate(one)
        if other is variable
    )


def contains(variables: list[Any], variable: Any) -> bool:
    """Returns whether a variable is among others; `==` compares values."""
    return any(one is variable for one in variables)


def fixed_initializer(values: np.ndarray) -> Callable[..., tf.Tensor]:
    """Returns an initializer that gives a weight some values."""

    def initialize(shape: Any, dtype: Any = None, **others: Any) -> tf.Tensor:
        del shape, others
        return tf.cast(values, dtype or tf.float32)

    return initialize


def flavor_of(thing: Any) -> Flavor:
    """Returns the flavor of a model, layer or optimizer.

    Raises:
        TypeError: if it is an object of neither Keras.
    """
    flavor = find_class_flavor(type(thing))
    if flavor is None:
        raise TypeError(
            "A model, layer or optimizer of Keras 3 (`keras`) or of Keras 2 "
            f"(`tf_keras`) is needed. Received: {thing!r} of type "
            f"{type(thing)}."
        )
    return flavor


def class_flavor(cls: type) -> Flavor:
    """Returns the flavor that a class derives from.

    Raises:
        TypeError: if it derives from neither.
    """
    flavor = find_class_flavor(cls)
    if flavor is None:
        raise TypeError(
            "A class of Keras 3 (`keras`) or of Keras 2 (`tf_keras`) is "
            f"needed. Received: {cls}."
        )
    return flavor


def find_class_flavor(cls: type) -> Flavor | None:
    """Returns the flavor that a class derives from, None if neither."""
    for base in cls.__mro__:
        if is_of_keras(base):
            package = keras_bindings.package_of(base.__module__)
            return keras_bindings.load(package).FLAVOR
    return None


def model_flavor(model: Any) -> Flavor:
    """Returns the flavor of a model.

    Raises:
        TypeError: if `model` is not a Keras model.
    """
    flavor = flavor_of(model)
    if not flavor.is_model(model):
        raise TypeError(
            "`model` must be a Keras model. "
            f"Received: model={model!r} of type {type(model)}. "
            "To sparsify one layer, put it into a `Sequential`."
        )
    return flavor


def is_container(layer: Any) -> bool:
    """Returns whether a layer's configuration contains those of its sublayers.

    True for functional and sequential models, and for subclasses that override
    neither the constructor nor the configuration. Any other class may create
    its layers itself, so its layers cannot be replaced one by one.
    """
    for cls in plain_class(layer).__mro__:
        if is_of_keras(cls):
            return cls.__name__ in ("Functional", "Sequential")
        if "__init__" in vars(cls) or "get_config" in vars(cls):
            return False
    return False


def plain_class(layer: Any) -> type:
    """Returns the class that a layer had before this library extended it."""
    return getattr(type(layer), "_tf_rigl_plain_class", type(layer))


@contextlib.contextmanager
def of_class(layer: Any, cls: type) -> Iterator[None]:
    """Makes a layer an instance of `cls` within a `with` block."""
    before = type(layer)
    set_class(layer, cls)
    try:
        yield
    finally:
        set_class(layer, before)


def set_class(layer: Any, cls: type) -> None:
    """Sets an object's class, bypassing Keras's attribute tracking."""
    object.__setattr__(layer, "__class__", cls)
