"""Removal of chosen channels from a model, as if they had been zero.

A removed channel is one that its layers no longer make: its columns of
kernels, its bias, γ, β and moving mean are zero. What it then is behind
activations is a constant, which the layers that read it take up in their bias.
"""

from typing import Any

import numpy as np

from tf_rigl.surgery import analysis
from tf_rigl.surgery import bias_axes
from tf_rigl.surgery import channel_groups
from tf_rigl.surgery import channel_plan
from tf_rigl.surgery import features
from tf_rigl.surgery import layer_pairs
from tf_rigl.surgery import rebuild
from tf_rigl.surgery.channel_plan import ChannelAnalysis

# Variances are divided by, so a channel has no zeros there.
_VARIANCES = ("moving_variance", "variance")


def remove(model: Any, plans: ChannelAnalysis, chosen: np.ndarray) -> Any:
    """Makes a smaller model without the chosen channels.

    `chosen` is bool [channels], with equal values for tied ones. Chosen
    channels stay if a layer cannot take up what they become; `plans.reasons`
    gets the reason. Sets `plans.needed`, by which the model is made.
    """
    plans.needed = np.ones(len(chosen), bool)
    _find_constants(model, plans, chosen)
    plans.needed = ~_removable(plans, chosen)
    return rebuild.rebuild(model, plans)


def _find_constants(
    model: Any, plans: ChannelAnalysis, chosen: np.ndarray
) -> None:
    """Notes in the plans what layers read of chosen channels, if constant."""
    masked = rebuild.rebuild(model, plans)
    set_to_zero(model, masked, plans, chosen)
    constants = analysis.analyze(plans.flavor, masked, plans.exact)

    by_path = {plan.path: plan.connections for plan in constants.of.values()}
    for plan in plans.of.values():
        found = by_path.get(plan.path)
        if plan.connections is not None and found is not None:
            plan.connections.seen = found.seen
            plan.connections.absorbable = found.absorbable


def set_to_zero(
    model: Any, copy: Any, plans: ChannelAnalysis, chosen: np.ndarray
) -> None:
    """Sets what makes the chosen channels to zero in a copy of a model."""
    for _, old, new in layer_pairs.pairs(model, copy):
        plan = plans.of.get(id(old))
        if plan is None:
            continue
        weights = plans.weights(new)
        for name, axes in plan.axes.items():
            if name in _VARIANCES:
                continue
            for axis in channel_groups.written_axes(plan, axes):
                gone = chosen[axes[axis]]
                if gone.any():
                    _zero(plans.flavor.raw(weights[name]), axis, gone)


def _zero(variable: Any, axis: int, gone: np.ndarray) -> None:
    values = variable.numpy()
    np.moveaxis(values, axis, 0)[gone] = 0
    variable.assign(values)


def _removable(plans: ChannelAnalysis, chosen: np.ndarray) -> np.ndarray:
    """Returns the chosen channels that all their readers can do without."""
    roots = plans.graph.roots()
    removed = chosen.copy()
    while True:
        stays = np.zeros(len(roots), bool)
        for plan in plans.of.values():
            connections = plan.connections
            if connections is None:
                continue
            unknown = np.isnan(connections.absorbed())
            rows = np.flatnonzero(removed[connections.inputs] & unknown)
            columns = ~removed[connections.outputs]
            rows = rows[connections.connected[rows][:, columns].any(axis=1)]
            if len(rows):
                channels = connections.inputs[rows]
                stays[roots[channels]] = True
                why = _why(plan.path, connections, rows)
                plans.reasons.append((channels, why))
        last = plans.graph.emptied(~removed)
        if last:
            stays[last] = True
            plans.reasons.append((np.array(last), "the last one of a part"))
        for channels, why in bias_axes.must_stay(plans, ~removed):
            stays[roots[channels]] = True
            plans.reasons.append((channels, why))
        if not stays.any():
            return removed
        # A channel that stays may be all that reads another one.
        removed &= ~stays[roots]


def _why(
    path: str, connections: channel_plan.Connections, rows: np.ndarray
) -> str:
    """Says why a layer needs the chosen channels at some of its inputs."""
    varies = np.isnan(features.common(connections.seen))[rows].any()
    if varies or not connections.why:
        return f"chosen, but not known to be constant where {path} reads it"
    return f"chosen, but constant, and {path} {connections.why}"
