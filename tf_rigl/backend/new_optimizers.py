"""Optimizers made anew, without a state, from the settings of others."""

from typing import Any

from tf_rigl.backend.flavor import flavor_of

_RATE = "_learning_rate"


def new_like(optimizer: Any) -> Any:
    """Makes an optimizer of the same class and the same settings.

    A schedule of learning rates is taken over as the object that it is: Keras
    would serialize it and look for its class by name, which asks of a user's
    that it has a `get_config` and is registered.

    Args:
        optimizer: an optimizer of either Keras.

    Returns:
        The new optimizer, not built.

    Raises:
        Exception: whatever the class raises on its own configuration.
    """
    schedules = flavor_of(optimizer).keras.optimizers.schedules
    own = vars(optimizer)
    rate = own.get(_RATE)
    if not isinstance(rate, schedules.LearningRateSchedule):
        return type(optimizer).from_config(optimizer.get_config())

    own[_RATE] = schedules.ExponentialDecay(1.0, 1, 1.0)
    try:
        config = optimizer.get_config()
    finally:
        own[_RATE] = rate
    return type(optimizer).from_config({**config, "learning_rate": rate})
