"""Rules of layers around another layer, by the rule of that one."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from tf_rigl.backend import flavor as flavors
from tf_rigl.surgery import units
from tf_rigl.surgery.channel_plan import Axes
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import Count
from tf_rigl.surgery.channel_plan import LayerPlan
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable

# Returns the rule of a layer, None if there is none.
FindRule = Callable[[Any], Any]


def time_distributed(
    plans: ChannelAnalysis, call: Call, find_rule: FindRule
) -> Features:
    """Follows TimeDistributed, which applies its layer at each time step."""
    if len(call.inputs) != 1:
        raise Untrackable(f"called on {len(call.inputs)} tensors")
    inside = dataclasses.replace(
        call,
        layer=call.layer.layer,
        input_shapes=tuple((one[0], *one[2:]) for one in call.input_shapes),
        output_shapes=tuple((one[0], *one[2:]) for one in call.output_shapes),
    )
    result = _follow_inside(plans, inside, find_rule)
    plan = plans.of.get(id(inside.layer))
    if plan is not None:
        _plan_around(plans, call, plan, _lifted(plans, call.layer, plan))
    return result


def spectral_normalization(
    plans: ChannelAnalysis, call: Call, find_rule: FindRule
) -> Features:
    """Follows SpectralNormalization, at inference its layer as it is.

    In training, its vector [1, last axis of the kernel] estimates the norm, to
    which channels of zeros add nothing.
    """
    inside = dataclasses.replace(call, layer=call.layer.layer)
    result = _follow_inside(plans, inside, find_rule)
    plan = plans.of.get(id(inside.layer))
    if plan is None:
        return result

    axes = _lifted(plans, call.layer, plan)
    name = "kernel" if "kernel" in axes else "embeddings"
    last = len(plans.weights(call.layer)[name].shape) - 1
    axes["vector_u"] = {1: axes[name][last]} if last in axes[name] else {}
    _plan_around(plans, call, plan, axes)
    return result


def bidirectional(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Bidirectional around SimpleRNN, GRU or LSTM.

    Keras takes both directions for equally wide, so that a unit goes with that
    of the same place in the other direction.
    """
    layer = call.layer
    if layer.merge_mode is None:
        raise Untrackable("does not merge its directions")
    directions = (layer.forward_layer, layer.backward_layer)
    for direction in directions:
        if not units.is_recurrent(direction):
            raise Untrackable(f"wraps {type(direction).__name__}")

    results = [
        units.recurrent(
            plans,
            dataclasses.replace(
                call, layer=direction, path=f"{call.path}/{direction.name}"
            ),
        )
        for direction in directions
    ]
    forward, backward = (one.channels for one in results)
    if len(forward) != len(backward):
        raise Untrackable("its directions have different numbers of units")
    plans.graph.tie(backward, forward)
    joined = [forward, backward] if layer.merge_mode == "concat" else [forward]
    outputs = np.concatenate(joined)

    def resize(config: dict[str, Any], left: Count) -> None:
        for name in ("layer", "backward_layer"):
            if config.get(name):
                config[name]["config"]["units"] = left(forward)

    axes = {}
    for direction in directions:
        axes.update(_lifted(plans, layer, plans.of[id(direction)]))
    features = call.only_input()
    plans.add(call, features.channels, outputs, axes, resize, makes_units=True)
    constants = np.concatenate([one.constants for one in results])
    if layer.merge_mode != "concat":
        # Merges of zeros are zero.
        constants = constants.reshape(2, -1).sum(axis=0)
    return Features(outputs, constants)


def _follow_inside(
    plans: ChannelAnalysis, call: Call, find_rule: FindRule
) -> Features:
    """Follows the layer within a wrapper."""
    kind = type(call.layer).__name__
    if flavors.is_container(call.layer):
        raise Untrackable("wraps a model")
    rule = find_rule(call.layer)
    if rule is None:
        raise Untrackable(f"wraps {kind}, whose channels are not known")
    try:
        result: Features = rule(plans, call)
    except Untrackable as untrackable:
        raise Untrackable(f"wraps {kind}: {untrackable}") from untrackable
    return result


def _plan_around(
    plans: ChannelAnalysis, call: Call, plan: LayerPlan, axes: dict[str, Axes]
) -> None:
    """Adds the plan of the layer inside as that of the wrapper."""
    plans.of[id(call.layer)] = dataclasses.replace(
        plan,
        layer=call.layer,
        axes=axes,
        config_of=lambda config: plan.config_of(config["layer"]["config"]),
    )


def _lifted(
    plans: ChannelAnalysis, wrapper: Any, plan: LayerPlan
) -> dict[str, Axes]:
    """Returns the axes of a layer's weights by their names in the wrapper."""
    names = {
        id(variable): name for name, variable in plans.weights(wrapper).items()
    }
    return {
        names[id(variable)]: plan.axes[name]
        for name, variable in plans.weights(plan.layer).items()
    }
