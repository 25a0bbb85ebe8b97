"""Rules of layers that put several tensors together."""

import numpy as np

from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import common
from tf_rigl.surgery.features import evaluate
from tf_rigl.surgery.features import positions
from tf_rigl.surgery.features import varying


def elementwise_merge(plans: ChannelAnalysis, call: Call) -> Features:
    """Add, Multiply and the like: the channels of all inputs are tied."""
    inputs = _tied(plans, call)
    constants = [features.constants for features in inputs]
    varies = np.isnan(np.stack(constants)).any(axis=0)
    if varies.all():
        return varying(inputs[0].channels)
    values = evaluate(call.layer, constants, positions(call))
    return Features(inputs[0].channels, np.where(varies, np.nan, values))


def operation(plans: ChannelAnalysis, call: Call) -> Features:
    """Arithmetic of two tensors, or of one and a number, without a layer."""
    if any(
        not isinstance(other, (int, float, str, type(None)))
        for other in call.others
    ):
        raise Untrackable(f"its arguments are {call.others}")
    inputs = call.all_inputs()
    if len(inputs) > 1:
        _tied(plans, call)
    return varying(inputs[0].channels)


def addition(plans: ChannelAnalysis, call: Call) -> Features:
    """`first + second`: a sum of constants is constant."""
    result = operation(plans, call)
    if len(call.inputs) == 1:
        return result
    constants = [features.constants for features in call.all_inputs()]
    return Features(result.channels, np.sum(constants, axis=0))


def concatenate(plans: ChannelAnalysis, call: Call) -> Features:
    """Concatenate: the features of all inputs, or their positions."""
    inputs = call.all_inputs()
    rank = len(call.output_shapes[0])
    if call.layer.axis not in (-1, rank - 1):
        _tied(plans, call)
        constants = [features.constants for features in inputs]
        return Features(inputs[0].channels, common(constants))
    return Features(
        np.concatenate([features.channels for features in inputs]),
        np.concatenate([features.constants for features in inputs]),
    )


def _tied(plans: ChannelAnalysis, call: Call) -> list[Features]:
    """Ties the inputs, which must have the same rank and number of features."""
    inputs = call.all_inputs()
    shapes = {(len(shape), shape[-1]) for shape in call.input_shapes}
    if len(inputs) < 2 or len(shapes) != 1:
        raise Untrackable(f"inputs of the shapes {call.input_shapes}")
    for features in inputs[1:]:
        plans.graph.tie(features.channels, inputs[0].channels)
    return inputs
