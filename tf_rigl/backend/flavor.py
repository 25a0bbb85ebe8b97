"""Interface to both Kerases, and the one that an object belongs to.

Keras 3 (`keras`) and Keras 2 (`tf_keras`) models are told apart by the object
that is passed in. The rest of the library speaks to `Flavor`; only its two
implementations, `keras3.py` and `keras2.py`, import a Keras.
"""

import abc
import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tf_rigl.backend import keras_bindings
from tf_rigl.backend.keras_bindings import PACKAGES as PACKAGES

Constraint = Callable[[Any], Any]
Inputs = tuple[tuple[Any, ...], dict[str, Any]]


class Flavor(abc.ABC):
    """Interface to one Keras: all that the library needs of it."""

    # "keras3" or "keras2".
    name: str
    # The Keras module itself.
    keras: Any
    # Classes that store masks and methods' state beside a layer's weights.
    mask_store_class: type
    state_store_class: type
    # Names of optimizers that leave a zero weight with zero slots and a zero
    # gradient at zero.
    zero_preserving: frozenset[str]

    def is_model(self, thing: Any) -> bool:
        """Returns whether this is a model of this Keras."""
        return isinstance(thing, self.keras.Model)

    def children(self, layer: Any) -> list[Any]:
        """Returns the layer's own layers, in the order of their creation."""
        if is_container(layer):
            return list(layer.layers)
        return list(layer._flatten_layers(include_self=False, recursive=False))

    @abc.abstractmethod
    def is_optimizer(self, thing: Any) -> bool:
        """Returns whether this is an optimizer of this Keras."""

    @abc.abstractmethod
    def raw(self, variable: Any) -> tf.Variable:
        """Returns the TensorFlow variable behind a Keras variable."""

    @abc.abstractmethod
    def written_variable(self, variable: Any) -> Any:
        """Returns the variable whose methods are called to write a weight."""

    def given_array(self, value: Any) -> Any:
        """Returns the array that a user gave to `set_weights`.

        `value` is what Keras has made of it for the variable.
        """
        return value

    @abc.abstractmethod
    def has_value(self, variable: Any) -> bool:
        """Returns whether the variable is initialized, not just announced."""

    @abc.abstractmethod
    def attach_child(self, layer: Any, name: str, child: Any) -> None:
        """Makes `child` a tracked attribute of a layer, built or not."""

    @abc.abstractmethod
    def detach_child(self, layer: Any, name: str) -> None:
        """Undoes `attach_child`."""

    @abc.abstractmethod
    def set_constraint(
        self, variable: Any, constraint: Constraint | None
    ) -> None:
        """Sets what an optimizer applies to the variable after its step."""

    @abc.abstractmethod
    def serialize(self, layer: Any) -> dict[str, Any]:
        """Returns class and configuration of a layer, for `deserialize`.

        Without what a model is built and compiled by: Keras writes that
        beside the configuration of the masked layer.
        """

    @abc.abstractmethod
    def deserialize(self, config: dict[str, Any]) -> Any:
        """Returns the layer of a configuration."""

    @abc.abstractmethod
    def register(self, cls: type) -> None:
        """Registers a class of masked layers, by the names of saved files.

        See `masking.bindings.registration`.
        """

    @abc.abstractmethod
    def can_assign(self) -> bool:
        """Returns whether variables may be assigned here and now."""

    @abc.abstractmethod
    def updating_optimizers(self, optimizer: Any) -> list[Any]:
        """Returns the optimizers that own update rules, inside of wrappers."""

    def keeps_zeros(self, optimizer: Any) -> bool:
        """Returns whether a step leaves masked weights and slots at zero.

        Only of Keras's own classes that is known; a subclass may have another
        rule under the same name.
        """
        name = type(optimizer).__name__
        own = getattr(self.keras.optimizers, name, None)
        return name in self.zero_preserving and type(optimizer) is own

    def unsupported_optimizer(self, optimizer: Any) -> str | None:
        """Returns why an optimizer cannot train sparse weights, or None."""
        if isinstance(optimizer, self.keras.optimizers.Adafactor):
            # Seen: with an empty row and an empty column its second moment
            # underflows, and the root mean square of 0 / 0 spoils all of the
            # weight.
            return (
                "Adafactor factors the second moment into row and column "
                "means, which makes 0 / 0 where a row and a column of a "
                "sparse weight have no connections; use Adam or Lion"
            )
        return None

    # The optimizer's methods that apply all gradients of a step: the outermost,
    # which applies constraints, too, and the innermost.
    apply_method: str
    apply_all_method: str

    @abc.abstractmethod
    def applied_variables(self, *args: Any) -> list[Any]:
        """Returns the variables that a call of `apply_all_method` will update.

        Args:
            *args: its arguments.
        """

    @abc.abstractmethod
    def optimizer_is_built(self, optimizer: Any) -> bool:
        """Returns whether the optimizer knows its variables."""

    @abc.abstractmethod
    def variable_index(self, optimizer: Any, variable: Any) -> int | None:
        """Returns the variable's position in the optimizer, None if unknown."""

    def variable_key(self, optimizer: Any, variable: Any) -> str:
        """Returns a variable's identity, the same for each of its replicas."""
        return optimizer._var_key(variable)

    @abc.abstractmethod
    def own_weights(self, layer: Any) -> list[Any]:
        """Returns the layer's weights but those of its own layers."""

    @abc.abstractmethod
    def remembered_inputs(self, model: Any) -> Inputs | None:
        """Returns what the model is called on: arguments and keyword arguments.

        Each is a structure of specifications (with `shape` and `dtype`) or
        of bare shapes; None where the model has never seen an input.
        """

    @abc.abstractmethod
    def accumulation_steps(self, optimizer: Any) -> int:
        """Returns the number of batches per optimizer update."""

    @abc.abstractmethod
    def other_state(self, model: Any, optimizer: Any) -> list[Any]:
        """Returns variables that training changes beside the model's own.

        They are random state and slots, in a fixed order, some perhaps among
        the model's too; metrics, which every epoch resets, are left out.
        """


def flavor_of(thing: Any) -> Flavor:
    """Returns the Keras that a model, layer or optimizer belongs to.

    Raises:
        TypeError: if it belongs to neither.
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
    """Returns the Keras that a class must derive from.

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
    """Returns the Keras that a class derives from, None if neither."""
    for base in cls.__mro__:
        package = base.__module__.partition(".")[0]
        if package in PACKAGES:
            return keras_bindings.load(package).FLAVOR
    return None


def model_flavor(model: Any) -> Flavor:
    """Returns the flavor of something that must be a model.

    Raises:
        TypeError: if it is none.
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
    """Returns whether a configuration of this layer holds those of its layers.

    True for functional and sequential models, and for a user's subclass that
    changes neither construction nor configuration; any other may build its
    layers itself, so it is not taken apart.
    """
    for cls in plain_class(layer).__mro__:
        if cls.__module__.partition(".")[0] in PACKAGES:
            return cls.__name__ in ("Functional", "Sequential")
        if "__init__" in vars(cls) or "get_config" in vars(cls):
            return False
    return False


def plain_class(layer: Any) -> type:
    """Returns the layer's class without this library's addition."""
    return getattr(type(layer), "_tf_rigl_plain_class", type(layer))


@contextlib.contextmanager
def of_class(layer: Any, cls: type) -> Iterator[None]:
    """Makes the layer an instance of `cls` for the time of a `with` block."""
    before = type(layer)
    set_class(layer, cls)
    try:
        yield
    finally:
        set_class(layer, before)


def set_class(layer: Any, cls: type) -> None:
    """Changes an object's class, past Keras's attribute tracking."""
    object.__setattr__(layer, "__class__", cls)
