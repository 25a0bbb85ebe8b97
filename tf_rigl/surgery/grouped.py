"""Rules of convolutions whose filters read a group of the channels."""

from typing import Any

import numpy as np

from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery import kernels
from tf_rigl.surgery import units
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import Count
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import evaluate


def convolution(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Conv1D, 2D and 3D, with or without groups."""
    kernels.check_layout(call)
    groups = getattr(call.layer, "groups", 1)
    if groups == 1:
        return units.convolution(plans, call)
    if groups == call.input_shapes[0][-1]:
        return _convolution_by_channel(plans, call)
    return _convolution_by_group(plans, call, groups)


def _convolution_by_channel(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows a convolution with a group for each channel, a depthwise one.

    Its kernel is [..., 1, channels · multiplier]; groups go with their channel.
    """
    layer = call.layer
    features = call.only_input()
    if not kernels.is_elementwise(plans.flavor, layer.activation):
        raise Untrackable("its activation may mix channels")

    kernel = plans.value(layer, "kernel")
    multiplier = kernel.shape[-1] // len(features.channels)
    outputs = np.repeat(features.channels, multiplier)

    def resize(config: dict[str, Any], left: Count) -> None:
        config["groups"] = left(features.channels)
        config["filters"] = left(outputs)

    axes: dict[str, dict[int, Channels]] = {
        "kernel": {kernel.ndim - 1: outputs}
    }
    if layer.use_bias:
        axes["bias"] = {0: outputs}
    plans.add(call, features.channels, outputs, axes, resize)

    extent, uneven = kernels.padding_of(call)
    usable = features.zeros() if uneven else features.constants
    reads = (kernel != 0).any(axis=tuple(range(kernel.ndim - 1)))
    varies = reads & np.repeat(np.isnan(usable), multiplier)
    constants = evaluate(call, [usable], extent)
    return Features(outputs, np.where(varies, np.nan, constants))


def _convolution_by_group(
    plans: ChannelAnalysis, call: Call, groups: int
) -> Features:
    """Follows a convolution of which all groups stay and shrink alike.

    Its kernel is [..., inputs of a group, filters of all groups]. Channels of
    the same place in their group are tied, so that each group loses as many.
    """
    features = call.only_input()
    kernel = plans.value(call.layer, "kernel")
    rows, last = kernel.shape[-2], kernel.ndim - 1
    spatial = tuple(range(kernel.ndim - 2))
    _tie_places(plans, features.channels, groups)

    result = kernels.apply(
        plans,
        call,
        _by_blocks((kernel != 0).any(axis=spatial), groups),
        _by_blocks(kernel.sum(axis=spatial, dtype=np.float64), groups),
        *kernels.padding_of(call),
        lambda i, o: {"kernel": {kernel.ndim - 2: i[:rows], last: o}},
    )
    _tie_places(plans, result.channels, groups)
    return result


def _by_blocks(matrix: np.ndarray, groups: int) -> np.ndarray:
    """Makes a matrix [inputs, filters] of one [inputs of a group, filters]."""
    rows, columns = matrix.shape
    blocks = np.zeros((groups * rows, columns), matrix.dtype)
    width = columns // groups
    for group in range(groups):
        part = slice(group * width, (group + 1) * width)
        blocks[group * rows : (group + 1) * rows, part] = matrix[:, part]
    return blocks


def _tie_places(
    plans: ChannelAnalysis, channels: Channels, groups: int
) -> None:
    """Ties the channels of each place within their groups."""
    first, *others = np.split(channels, groups)
    for other in others:
        plans.graph.tie(other, first)
