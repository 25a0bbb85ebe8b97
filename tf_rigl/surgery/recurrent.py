"""Rules of recurrent layers."""

from typing import Any

import numpy as np

from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery import channel_plan
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import varying
from tf_rigl.surgery.kernels import is_elementwise

# Blocks of columns in the kernels, one a gate.
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}


def recurrent(plans: channel_plan.ChannelAnalysis, call: Call) -> Features:
    """SimpleRNN, GRU and LSTM: units that reach nothing, by any step.

    A unit that nothing reaches still changes from step to step, so that it
    is not a constant and stays. Inputs that are constant zeros are cut.
    """
    layer = call.layer
    _check_supported(plans, layer)
    features = call.only_input()
    plan = plans.of.get(id(layer)) or _new_plan(plans, call, features)
    plans.graph.tie(features.channels, plan.inputs)
    if plan.connections is not None:
        plan.connections.seen.append(features.constants)
        plan.connections.absorbable.append(features.zeros())
    return varying(plan.outputs)


def _check_supported(plans: channel_plan.ChannelAnalysis, layer: Any) -> None:
    if layer.stateful or layer.return_state:
        raise Untrackable("it keeps or returns its state")
    functions = [layer.activation]
    functions.append(getattr(layer, "recurrent_activation", None))
    if not all(is_elementwise(plans.flavor, one) for one in functions):
        raise Untrackable("its activations may mix units")


def _new_plan(
    plans: channel_plan.ChannelAnalysis, call: Call, features: Features
) -> channel_plan.LayerPlan:
    values = plans.values(call.layer)
    gates = GATES[type(call.layer).__name__]
    kernel = _any_gate(values["kernel"], gates)
    outputs = plans.graph.add(kernel.shape[1])
    recurrent_kernel = _any_gate(values["recurrent_kernel"], gates)
    plans.graph.read(outputs, outputs, recurrent_kernel)

    return plans.add(
        call,
        features.channels,
        outputs,
        _axes(values, features.channels, outputs, gates),
        lambda config, left: config.update(units=left(outputs)),
        makes_units=True,
        connections=channel_plan.Connections(
            features.channels, outputs, kernel, None, "takes up only zeros"
        ),
    )


def _any_gate(kernel: np.ndarray, gates: int) -> np.ndarray:
    """Returns whether a row reaches any gate of a unit: bool [rows, units]."""
    return (kernel != 0).reshape(len(kernel), gates, -1).any(axis=1)


def _axes(
    values: dict[str, np.ndarray],
    inputs: Channels,
    outputs: Channels,
    gates: int,
) -> dict[str, channel_plan.Axes]:
    columns = np.tile(outputs, gates)
    axes: dict[str, channel_plan.Axes] = {
        "kernel": {0: inputs, 1: columns},
        "recurrent_kernel": {0: outputs, 1: columns},
    }
    if "bias" in values:
        # A GRU may have one for the inputs and one for the states.
        axes["bias"] = {values["bias"].ndim - 1: columns}
    return axes
