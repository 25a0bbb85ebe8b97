"""The state of an optimizer: its slots, its steps and its learning rate."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import new_optimizers
from tf_rigl.backend.distribution import strategy_of
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.checkpointing.training_state import TrainingState
from tf_rigl.checkpointing.training_state import build_optimizer

# The attributes in which Keras's optimizers keep their learning rate. The
# second one, of Keras 2, is the current value of a schedule.
_RATES = ("_learning_rate", "_current_learning_rate")
_AVERAGES = "_model_variables_moving_average"


def variables_of(model: Any, optimizer: Any) -> TrainingState:
    """Returns all variables of an optimizer, which is built if needed."""
    build_optimizer(model, optimizer)
    flavor = flavor_of(optimizer)
    found: dict[int, tuple[str, tf.Variable]] = {}
    for variable in flavor.optimizer_state(optimizer):
        raw = flavor.raw(variable)
        found[id(raw)] = (getattr(variable, "path", variable.name), raw)
    names, variables = zip(*found.values(), strict=True)
    return TrainingState(names, variables)


def steps_taken(optimizer: Any) -> int:
    """Returns the number of steps that an optimizer has taken."""
    return int(tf.convert_to_tensor(optimizer.iterations))


def set_steps(optimizer: Any, steps: int) -> None:
    """Sets the number of steps that an optimizer has taken."""
    flavor = flavor_of(optimizer)
    for one in (optimizer, *flavor.updating_optimizers(optimizer)):
        counter = getattr(one, "_iterations", None)
        if counter is not None:
            # Keras 3 counts batches if it accumulates gradients.
            batches = steps * flavor.accumulation_steps(one)
            flavor.raw(counter).assign(batches)


def restore_rate(
    optimizer: Any, held: TrainingState, values: Sequence[np.ndarray]
) -> None:
    """Assigns the variables of the learning rate out of all values."""
    rates = {id(variable) for variable in _rates(optimizer)}
    for variable, value in zip(held.variables, values, strict=True):
        if id(variable) in rates:
            variable.assign(value)


def renew_slots(model: Any, optimizer: Any) -> None:
    """Gives an optimizer the slots of a new one; steps and rate stay.

    The moving averages of weights (`use_ema`) become the present weights.

    Raises:
        ValueError: if no equal optimizer can be made.
    """
    flavor = flavor_of(optimizer)
    for one in flavor.updating_optimizers(optimizer):
        trained = [
            (index, variable)
            for variable in model.variables
            if (index := flavor.variable_index(one, variable)) is not None
        ]
        trained.sort(key=lambda pair: pair[0])
        variables = [variable for _, variable in trained]

        kept = {id(variable) for variable in _rates(one)}
        kept.add(id(flavor.raw(one._iterations)))
        for slot, value in zip(
            flavor.optimizer_state(one), _new_slots(one, variables), strict=True
        ):
            if id(flavor.raw(slot)) not in kept:
                slot.assign(value)
        for average, variable in zip(
            getattr(one, _AVERAGES, None) or (), variables, strict=False
        ):
            average.assign(flavor.raw(variable))


def _new_slots(optimizer: Any, variables: list[Any]) -> list[np.ndarray]:
    """Returns the values that the variables of a new optimizer have.

    Slots start at zero in most optimizers, and only the optimizer itself knows
    of others, such as accumulators that are divided by.
    """
    flavor = flavor_of(optimizer)
    strategy = strategy_of(map(flavor.raw, variables))
    try:
        with strategy.scope(), tf.init_scope():
            new = new_optimizers.new_like(optimizer)
            new.build(variables)
            values = [
                flavor.raw(v).numpy() for v in flavor.optimizer_state(new)
            ]
    except Exception as error:
        raise ValueError(
            "An optimizer must be made again from its configuration to have "
            f"new slots. Received: optimizer={optimizer.name!r}; {error}. "
            "Pass slots='keep', or 'restore' if the snapshot has them."
        ) from error

    shapes = [tuple(one.shape) for one in flavor.optimizer_state(optimizer)]
    if shapes != [value.shape for value in values]:
        raise ValueError(
            "An optimizer must train the weights of this model alone. "
            f"Received: optimizer={optimizer.name!r}, whose variables have the "
            f"shapes {shapes} and not {[value.shape for value in values]}. "
            "Pass slots='keep', or 'restore' if the snapshot has them."
        )
    return values


def _rates(optimizer: Any) -> list[tf.Variable]:
    """Returns the variables in which an optimizer keeps its learning rate."""
    flavor = flavor_of(optimizer)
    found = []
    for one in (optimizer, *flavor.updating_optimizers(optimizer)):
        for name in _RATES:
            value = vars(one).get(name)
            if hasattr(value, "assign"):
                found.append(flavor.raw(value))
    return found
