"""Calls on tensors whose channels are first, as if they were last.

Rules are written for channels last. A layer with channels first has the same
weights, so that its rule applies to its call with the axes of shapes moved;
`Call.axis` says where features are in the tensors that the layer takes.
"""

import dataclasses
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
from tf_rigl.surgery.features import from_the_front
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


def follow(
    plans: ChannelAnalysis, call: Call, rule: channel_rules.ChannelRule
) -> list[Features]:
    """Returns the results of a layer's rule, with the axes that they have.

    Raises:
        Untrackable: if the rule does not follow the call, tensors have features
            on different axes, or see `bias_axes`.
    """
    row = channel_rules.row_of(call.layer)
    if row in _AS_THEY_ARE:
        return _listed(rule(plans, call))
    axis = _common_axis(call) if row in _ANYWHERE else _axis_of(row, call)
    seen = _seen(plans, call, axis)
    return [
        one._replace(axis=axis if len(shape) > 2 else LAST)
        for one, shape in zip(
            _listed(rule(plans, seen)), seen.output_shapes, strict=True
        )
    ]


def kept(
    plans: ChannelAnalysis, shape: Shape, reason: str, axis: int = LAST
) -> Features | None:
    """Adds and keeps channels for an axis of a tensor, if it has a size."""
    size = shape[axis] if len(shape) > 1 else None
    if size is None:
        return None
    channels = plans.graph.add(size)
    plans.keep(channels, reason)
    return varying(channels)._replace(axis=axis)


def _listed(result: Features | list[Features]) -> list[Features]:
    return result if isinstance(result, list) else [result]


def _seen(plans: ChannelAnalysis, call: Call, axis: int) -> Call:
    """Returns a call as a rule sees it whose layer reads an axis.

    Tensors with features on another axis keep all of them.
    """
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


def _axis_of(row: Any, call: Call) -> int:
    """Returns the axis on which a layer has its channels."""
    layer = call.layer
    if flavors.plain_class(layer).__name__ == "SpectralNormalization":
        layer = layer.layer
    if getattr(layer, "data_format", None) == "channels_first":
        return FIRST
    rank = len(call.input_shapes[0])
    if row in _WITH_AXIS and rank > 2:
        is_first = from_the_front(layer.axis, rank) == [FIRST]
        return FIRST if is_first else LAST
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
    return kept(plans, shape, reason, axis)


def _moved(shape: Shape) -> Shape:
    """Returns a shape with the axis after the batch at the end."""
    return (*shape[:1], *shape[2:], *shape[1:2])
