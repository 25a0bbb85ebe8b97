"""Calls on tensors whose channels are first, as if they were last.

Rules are written for channels last. A layer with channels first has the same
weights, so that its rule applies to its call with the axes of shapes moved;
`Call.axis` says where features are in the tensors that the layer takes.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tf_rigl.backend import flavor as flavors
from tf_rigl.surgery import bias_axes
from tf_rigl.surgery import channel_rules
from tf_rigl.surgery import channelwise
from tf_rigl.surgery import merging
from tf_rigl.surgery import normalization
from tf_rigl.surgery import operations
from tf_rigl.surgery import preprocessing
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.features import FIRST
from tf_rigl.surgery.features import LAST
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Shape
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import varying

# Rules that see the tensors as they are, and say where features go.
_AS_THEY_ARE = frozenset(
    {
        channelwise.flatten,
        channelwise.input_layer,
        channelwise.permute,
        channelwise.reshape,
        operations.pooling_of_channels,
        operations.reshaping,
        operations.transposition,
    }
)
# Rules of what treats features alike wherever they are.
_ANYWHERE = frozenset(
    {
        channelwise.activation,
        channelwise.elementwise,
        channelwise.identity,
        channelwise.prelu,
        merging.concatenate,
        merging.elementwise_merge,
        merging.operation,
        merging.product,
        merging.product_merge,
        operations.concatenation,
        operations.gathering,
        operations.reduction,
        operations.softmax,
        operations.summation,
        preprocessing.rescaling,
    }
)
_WITH_AXIS = frozenset(
    {channelwise.batch_normalization, normalization.group_normalization}
)


def channels_last(plans: ChannelAnalysis, call: Call) -> Call:
    """Returns a call as its rule sees it.

    Tensors with features on another axis than the layer reads keep all of them.

    Raises:
        Untrackable: if tensors have features on different axes, or see
            `bias_axes`.
    """
    rule = channel_rules.row_of(call.layer)
    if rule in _AS_THEY_ARE:
        return call
    axis = _common_axis(call) if rule in _ANYWHERE else _axis_of(rule, call)
    inputs = tuple(
        _along(plans, call, features, shape, axis)
        for features, shape in zip(call.inputs, call.input_shapes, strict=True)
    )
    if axis == LAST:
        return dataclasses.replace(call, inputs=inputs)
    seen = dataclasses.replace(
        call,
        inputs=inputs,
        input_shapes=tuple(map(_moved, call.input_shapes)),
        output_shapes=tuple(map(_moved, call.output_shapes)),
        axis=axis,
    )
    bias_axes.check(plans.flavor, seen)
    return seen


def placed(call: Call, results: Sequence[Features]) -> list[Features]:
    """Returns the results of a rule with the axis that they have.

    `call` is what the rule has seen.
    """
    if channel_rules.row_of(call.layer) in _AS_THEY_ARE:
        return list(results)
    return [
        one._replace(axis=call.axis if len(shape) > 2 else LAST)
        for one, shape in zip(results, call.output_shapes, strict=True)
    ]


def _axis_of(rule: Any, call: Call) -> int:
    """Returns the axis on which a layer has its channels."""
    layer = call.layer
    if flavors.plain_class(layer).__name__ == "SpectralNormalization":
        layer = layer.layer
    if getattr(layer, "data_format", None) == "channels_first":
        return FIRST
    if rule in _WITH_AXIS and len(call.input_shapes[0]) > 2:
        axis = layer.axis
        axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
        return FIRST if axes == [FIRST] else LAST
    return LAST


def _common_axis(call: Call) -> int:
    """Returns the axis on which all inputs have their features."""
    axes = {one.axis for one in call.inputs if one is not None}
    ranks = {len(shape) for shape in call.input_shapes}
    if len(axes) > 1 or (FIRST in axes and len(ranks) > 1):
        raise Untrackable(
            "features on different axes of inputs of the shapes "
            f"{call.input_shapes}"
        )
    return axes.pop() if axes else LAST


def _along(
    plans: ChannelAnalysis,
    call: Call,
    features: Features | None,
    shape: Shape,
    axis: int,
) -> Features | None:
    """Returns the features of an input along an axis, new ones if need be."""
    if features is not None and features.axis == axis:
        return features
    if features is None and axis == LAST:
        return None
    kind = type(call.layer).__name__
    reason = f"read by {call.path} ({kind}): along axis {axis}"
    if features is not None:
        plans.keep(features.channels, reason)
    size = shape[axis] if len(shape) > 1 else None
    if size is None:
        return None
    channels = plans.graph.add(size)
    plans.keep(channels, reason)
    return varying(channels)._replace(axis=axis)


def _moved(shape: Shape) -> Shape:
    """Returns a shape with the axis after the batch at the end."""
    return (*shape[:1], *shape[2:], *shape[1:2])
