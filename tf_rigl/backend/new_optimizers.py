"""Optimizers made anew, without a state, from the settings of others."""

from collections.abc import Iterable
from typing import Any

from tf_rigl.backend.flavor import flavor_of

_RATE = "_learning_rate"
_EXCLUDED = "_exclude_from_weight_decay"


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
    flavor = flavor_of(optimizer)
    new = _new_like(optimizer, flavor.keras.optimizers.schedules)
    inner = map(flavor.updating_optimizers, (optimizer, new))
    for old, one in zip(*inner, strict=True):
        exclude_alike(old, one)
    return new


def exclude_alike(
    optimizer: Any, new: Any, variables: Iterable[tuple[Any, Any]] | None = None
) -> None:
    """Excludes from weight decay what another optimizer excludes.

    Keras keeps this in no configuration, and takes it before `build` alone.

    Args:
        optimizer: an optimizer of either Keras that trains by itself.
        new: another one of its class, changed in place.
        variables: pairs of a variable and the one that the new optimizer trains
            in its place. Default: both train the same.
    """
    names = [name for name in vars(optimizer) if name.startswith(_EXCLUDED)]
    for name in names:
        setattr(new, name, getattr(optimizer, name))
    if not names:
        return
    # Which variable is excluded is kept by identities; this is a cache of it.
    setattr(new, f"{_EXCLUDED}_cache", {})
    if variables is not None:
        keys = {
            flavor_of(new).variable_key(new, after)
            for before, after in variables
            if not optimizer._use_weight_decay(before)
        }
        setattr(new, _EXCLUDED, keys)


def _new_like(optimizer: Any, schedules: Any) -> Any:
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
