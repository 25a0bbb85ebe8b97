"""The state of an optimizer, cut like the weights that it trains."""

from collections.abc import Iterator
from typing import Any

from tf_rigl.backend import new_optimizers
from tf_rigl.backend.flavor import Flavor
from tf_rigl.checkpointing.training_state import build_optimizer
from tf_rigl.surgery import layer_pairs
from tf_rigl.surgery import rebuild
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import LayerPlan
from tf_rigl.surgery.channel_plan import named_weights

# Lists of all variables and of the trained weights, which are no slots.
_NO_SLOTS = ("_variables", "_trainable_variables")
_AVERAGES = "_model_variables_moving_average"
# By the class of an optimizer, a slot with values of the weights.
_WEIGHTS = {"ScheduleFreeAdamW": "_momentums"}


def compile_alike(
    model: Any,
    smaller: Any,
    compilation: dict[str, Any],
    plans: ChannelAnalysis,
) -> None:
    """Compiles a smaller model as the given one, whose state it goes on with.

    Raises:
        ValueError: if the class of the model compiles in a way of its own that
            its configuration does not repeat.
    """
    smaller.compile_from_config(compilation)
    if getattr(smaller, "optimizer", None) is None:
        raise ValueError(
            "`compiled=True` needs a model that compiles from its own "
            f"configuration. Received: model={model.name!r} of "
            f"{type(model).__name__}. Override `get_compile_config` and "
            "`compile_from_config` of the class, or leave `compiled` out and "
            "compile the new model."
        )
    _carry_over(model, smaller, plans)


def _carry_over(model: Any, smaller: Any, plans: ChannelAnalysis) -> None:
    """Gives the optimizer of a smaller model the state of the given one's.

    Slots of weights are cut along the same axes as the weights; steps, learning
    rate and loss scale stay. A bias that is new has new slots. Slots of other
    shapes than their weights', as Adafactor's, are kept if the weight is whole.
    """
    flavor = plans.flavor
    before, after = (
        flavor.updating_optimizers(one.optimizer) for one in (model, smaller)
    )
    trained = [
        (one, other)
        for _, _, one, other in _weights(model, smaller, plans)
        if one is not None
    ]
    for old, new in zip(before, after, strict=True):
        new_optimizers.exclude_alike(old, new, trained)

    if not all(map(flavor.optimizer_is_built, before)):
        return

    build_optimizer(smaller, smaller.optimizer)
    for old, new in zip(before, after, strict=True):
        _carry_slots(old, new, model, smaller, plans)

    numbers = [_numbers(flavor, one.optimizer) for one in (model, smaller)]
    for old, new in zip(*numbers, strict=True):
        new.assign(old)


def _carry_slots(
    old: Any, new: Any, model: Any, smaller: Any, plans: ChannelAnalysis
) -> None:
    flavor = plans.flavor
    slots, new_slots = _slots(flavor, old), _slots(flavor, new)
    of_weights = {_AVERAGES} | {
        _WEIGHTS[cls.__name__]
        for cls in type(old).__mro__
        if cls.__name__ in _WEIGHTS
    }
    for plan, weight, before, after in _weights(model, smaller, plans):
        index = flavor.variable_index(new, after)
        if index is None:
            continue
        if before is None:
            if _AVERAGES in new_slots:
                value = flavor.raw(after)
                flavor.raw(new_slots[_AVERAGES][index]).assign(value)
            continue

        place = flavor.variable_index(old, before)
        if place is None:
            continue
        for name in slots.keys() & new_slots.keys():
            slot, new_slot = slots[name][place], new_slots[name][index]
            if slot is None or new_slot is None:
                continue
            held, target = flavor.raw(slot).numpy(), flavor.raw(new_slot)
            if plan is not None and held.shape == tuple(before.shape):
                held = rebuild.cut(plan, weight, held, plans)
                added = plan.addition(plans.needed)
                is_bias = name in of_weights and weight == "bias"
                if is_bias and added is not None:
                    held = held + added.astype(held.dtype)
            if held.shape == tuple(target.shape):
                target.assign(held)


def _weights(
    model: Any, smaller: Any, plans: ChannelAnalysis
) -> Iterator[tuple[LayerPlan | None, str, Any, Any]]:
    """Yields the plan, name, old and new variable of each weight left.

    The old one is None for a bias that is new.
    """
    for _, old, new in layer_pairs.pairs(model, smaller):
        if new is None:
            continue
        plan = plans.of.get(id(old))
        before = named_weights(plans.flavor, old)
        after = named_weights(plans.flavor, new)
        if plan is None:
            # Sublayers may have other names in the new layer.
            both = zip(before.items(), after.values(), strict=True)
            yield from ((None, name, one, other) for (name, one), other in both)
            continue
        yield from (
            (plan, name, before.get(name), one) for name, one in after.items()
        )


def _slots(flavor: Flavor, optimizer: Any) -> dict[str, list[Any]]:
    """Returns the lists of slots, each with one for each trained weight.

    It is None where Muon leaves a weight to its other way of training.
    """
    found = {}
    for name, value in vars(optimizer).items():
        if not isinstance(value, list) or name in _NO_SLOTS:
            continue
        slots = [one for one in value if one is not None]
        if slots and all(hasattr(one, "assign") for one in slots):
            found[name] = list(value)
    return found


def _numbers(flavor: Flavor, optimizer: Any) -> list[Any]:
    """Lists the variables that belong to no weight, such as the steps."""
    slots = {
        id(flavor.raw(variable))
        for one in flavor.updating_optimizers(optimizer)
        for variables in _slots(flavor, one).values()
        for variable in variables
        if variable is not None
    }
    state: dict[int, Any] = {}
    for variable in flavor.optimizer_state(optimizer):
        raw = flavor.raw(variable)
        if id(raw) not in slots and not raw.shape.rank:
            state[id(raw)] = raw
    return list(state.values())
