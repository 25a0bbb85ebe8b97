"""The state that an optimizer keeps for each element of a weight."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.masking.masked_weight import MaskedWeight

# Lists with one entry per variable that are not state of an update rule.
# Accumulated gradients must stay dense, since growth scores come from them.
_NOT_SLOTS = frozenset(
    {"_variables", "_trainable_variables", "_accumulated_gradients"}
)

# The moving averages of the weights themselves (`use_ema`).
_AVERAGES = "_model_variables_moving_average"

# The attributes in which Keras's optimizers keep averages or sums of gradients.
# Slots for averages of squares must not be set, as they cannot be negative.
_MOMENTA = {
    "SGD": "momentums",
    "Adam": "_momentums",
    "Nadam": "_momentums",
    "Adamax": "_m",
    "Lion": "_momentums",
}

# Optimizers that divide by a power of an accumulator, which must start above
# zero: at zero, a zero gradient gives 0 / 0. Grown connections restart it.
_FRESH_ACCUMULATOR = {"Ftrl": "_accumulators"}


def slots_of(
    flavor: Flavor, optimizer: Any, record: MaskedWeight
) -> Iterator[Any]:
    """Yields the optimizer's variables with an element per element of a weight.

    Keras's optimizers keep them in lists with one entry per variable. One such
    list is the moving averages of the weights (`use_ema`).
    """
    return slots_of_variable(flavor, optimizer, record.variable)


def slots_of_variable(
    flavor: Flavor, optimizer: Any, variable: Any
) -> Iterator[Any]:
    """Does as `slots_of` for a Keras variable."""
    index = flavor.variable_index(optimizer, variable)
    if index is None:
        return

    shape = tuple(variable.shape)
    for name in sorted(vars(optimizer)):
        slots = [] if name in _NOT_SLOTS else _entries(optimizer, name)
        slot = slots[index] if index < len(slots) else None
        if slot is not None and tuple(slot.shape) == shape:
            yield slot


def average_of(
    flavor: Flavor, optimizer: Any, record: MaskedWeight
) -> Iterator[Any]:
    """Yields the moving average of the weight, if the optimizer keeps one."""
    index = flavor.variable_index(optimizer, record.variable)
    averages = getattr(optimizer, _AVERAGES, None)
    if index is not None and averages:
        yield averages[index]


def momentum_of_gradient(
    optimizer: Any, slot: Any, gradient: tf.Tensor
) -> tf.Tensor | None:
    """Returns the value of a momentum slot that has accumulated `gradient`.

    SGD accumulates steps, so the value is -learning_rate * gradient; Adam and
    similar optimizers accumulate gradients. None if the slot is not a momentum.
    """
    name = _momentum_class(optimizer, slot)
    if name == "SGD":
        rate = tf.convert_to_tensor(optimizer.learning_rate)
        return -tf.cast(rate, gradient.dtype) * gradient
    return None if name is None else gradient


def is_momentum(optimizer: Any, slot: Any) -> bool:
    """Returns whether a slot is an average or a sum of gradients."""
    return _momentum_class(optimizer, slot) is not None


def _momentum_class(optimizer: Any, slot: Any) -> str | None:
    """Returns the class of Keras's whose momentum a slot is, if it is one."""
    for cls in type(optimizer).__mro__:
        attribute = _MOMENTA.get(cls.__name__)
        if attribute and any(s is slot for s in getattr(optimizer, attribute)):
            return cls.__name__
    return None


def fresh_value(optimizer: Any, slot: Any) -> float:
    """Returns the value of a slot at grown connections, 0 for most slots."""
    for cls in type(optimizer).__mro__:
        attribute = _FRESH_ACCUMULATOR.get(cls.__name__)
        if attribute and any(s is slot for s in getattr(optimizer, attribute)):
            return optimizer.initial_accumulator_value
    return 0.0


def check_all_found(
    flavor: Flavor, optimizer: Any, records: list[MaskedWeight]
) -> None:
    """Raises a ValueError unless `slots_of` finds all per-element state.

    It misses a variable that has the shape of a masked weight and is in none
    of the optimizer's lists.
    """
    shapes = {tuple(record.variable.shape) for record in records}
    listed = {
        id(flavor.raw(slot))
        for name in vars(optimizer)
        if name != "_variables"
        for slot in _entries(optimizer, name)
        if slot is not None
    }

    for variable in optimizer.variables:
        if (
            tuple(variable.shape) in shapes
            and id(flavor.raw(variable)) not in listed
        ):
            raise ValueError(
                "An optimizer must keep the state of its variables in lists "
                "with one entry a variable, as Keras's own do. Received: "
                f"{type(optimizer).__name__}, whose variable "
                f"{variable.name!r} stands in none. Keep it in a list "
                "attribute of the optimizer."
            )


def _entries(optimizer: Any, name: str) -> list[Any]:
    """Returns the entries of a list of variables or None, else `[]`."""
    value = vars(optimizer)[name]
    if not isinstance(value, (list, tuple)):
        return []
    is_state = all(
        entry is None or (hasattr(entry, "assign") and hasattr(entry, "shape"))
        for entry in value
    )
    return list(value) if is_state else []
