"""Rules of layers without units of their own.

Such layers treat each channel by itself, move, drop or gather positions, or
combine several tensors.
"""

import math
from typing import Any

import numpy as np

from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery import kernels
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import Count
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import common
from tf_rigl.surgery.features import evaluate
from tf_rigl.surgery.features import positions
from tf_rigl.surgery.features import varying


def identity(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows dropout and noise, which inference skips, and RepeatVector."""
    del plans
    return call.only_input()


def elementwise(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows layers that apply an elementwise function."""
    del plans
    features = call.only_input()
    constants = features.constants
    if np.isnan(constants).all():
        return features
    values = evaluate(call.layer, [constants], positions(call))
    return Features(
        features.channels, np.where(np.isnan(constants), np.nan, values)
    )


def activation(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Activation, if its function is elementwise."""
    if not kernels.is_elementwise(plans.flavor, call.layer.activation):
        raise Untrackable("its function may mix features")
    return elementwise(plans, call)


def batch_normalization(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows BatchNormalization over the last axis; weights [channels].

    Where gamma is 0, the output is beta, whatever the input is.
    """
    rank = len(call.input_shapes[0])
    axis = call.layer.axis
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if axes not in ([-1], [rank - 1]):
        raise Untrackable(f"axis={axis}")

    outputs = plans.own_outputs(call, call.only_input().channels)
    scaled = _scale(plans, call, outputs)
    gamma = plans.values(call.layer).get("gamma")
    if gamma is None or gamma.all():
        return scaled

    shifts = evaluate(call.layer, [np.zeros(len(outputs))], positions(call))
    return Features(outputs, np.where(gamma == 0, shifts, scaled.constants))


def prelu(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows PReLU; constants stay only if all positions share slopes."""
    slopes = plans.value(call.layer, "alpha")
    features = call.only_input()
    if slopes.shape[-1] != len(features.channels):
        raise Untrackable("its slopes are shared by channels")
    scaled = _scale(plans, call, features.channels)
    if slopes.size == slopes.shape[-1]:
        return scaled
    return varying(scaled.channels)


def depthwise_convolution(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows DepthwiseConv1D and 2D; outputs are cut with their input."""
    kernels.check_channels_last(call)
    layer = call.layer
    features = call.only_input()
    if not kernels.is_elementwise(plans.flavor, layer.activation):
        raise Untrackable("its activation may mix channels")

    values = plans.values(layer)
    bias = values.pop("bias", None)
    ((name, kernel),) = values.items()  # [..., channels, multiplier]
    rank, multiplier = kernel.ndim, kernel.shape[-1]
    outputs = np.repeat(features.channels, multiplier)

    axes = {name: {rank - 2: features.channels}}
    if bias is not None:
        axes["bias"] = {0: outputs}
    plans.add(call, features.channels, outputs, axes)

    extent, uneven = kernels.padding_of(call)
    usable = features.zeros() if uneven else features.constants
    reads = (kernel != 0).any(axis=tuple(range(rank - 2)))
    varies = (reads & np.isnan(usable)[:, None]).reshape(-1)
    constants = evaluate(layer, [usable], extent)
    return Features(outputs, np.where(varies, np.nan, constants))


def pooling(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows pooling and cropping, which leave constants unchanged."""
    del plans
    kernels.check_channels_last(call)
    return call.only_input()


def up_sampling(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows UpSampling; some interpolations do not preserve constants."""
    features = pooling(plans, call)
    way = getattr(call.layer, "interpolation", "nearest")
    if way in ("nearest", "bilinear"):
        return features
    return varying(features.channels)


def zero_padding(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows ZeroPadding; of the constants, only zeros stay constant."""
    features = pooling(plans, call)
    return Features(features.channels, features.zeros())


def permute(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Permute, if the features stay on the last axis."""
    del plans
    dims = tuple(call.layer.dims)
    if dims[-1] != len(dims):
        raise Untrackable(f"dims={dims}")
    return call.only_input()


def flatten(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Flatten, which joins the features of all positions."""
    del plans
    if len(call.input_shapes[0]) > 2:
        kernels.check_channels_last(call)
    return _flattened(call)


def reshape(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Reshape, if features stay last, are flattened, or are split."""
    features = call.only_input()
    before, after = call.input_shapes[0][1:], call.output_shapes[0][1:]

    if before and after and before[-1] == after[-1]:
        result = features
    elif len(after) == 1:
        result = _flattened(call)
    elif len(before) == 1 and after and after[-1]:
        result = _divided(plans, features, after[-1])
    else:
        raise Untrackable(f"from {before} to {after}")

    plans.add(
        call,
        features.channels,
        result.channels,
        {},
        lambda config, left: _set_last(config, result.channels, left),
    )
    return result


def input_layer(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows the input of an inner model."""
    features = call.only_input()

    def resize(config: dict[str, Any], left: Count) -> None:
        for name in ("batch_shape", "batch_input_shape"):
            if config.get(name):
                shape = config[name]
                config[name] = (*shape[:-1], left(features.channels))

    plans.add(call, features.channels, features.channels, {}, resize)
    return features


def _scale(plans: ChannelAnalysis, call: Call, outputs: Channels) -> Features:
    """Follows a layer with weights [..., channels].

    `outputs` are the channels that it writes, its inputs or others.
    """
    inputs = call.only_input().channels

    axes = {
        name: {len(variable.shape) - 1: outputs}
        for name, variable in plans.weights(call.layer).items()
    }
    plans.add(call, inputs, outputs, axes, selects=outputs is not inputs)
    return Features(outputs, elementwise(plans, call).constants)


def _flattened(call: Call) -> Features:
    features = call.only_input()
    shape = call.input_shapes[0][1:-1]
    sizes = [size for size in shape if size is not None]
    if len(sizes) < len(shape):
        raise Untrackable(f"an input of unknown size, {call.input_shapes[0]}")
    count = math.prod(sizes)
    return Features(
        np.tile(features.channels, count), np.tile(features.constants, count)
    )


def _divided(
    plans: ChannelAnalysis, features: Features, count: int
) -> Features:
    """Splits a vector into positions of `count` channels, which are tied."""
    rows = features.channels.reshape(-1, count)
    for row in rows[1:]:
        plans.graph.tie(row, rows[0])
    return Features(rows[0], common(features.constants.reshape(-1, count)))


def _set_last(config: dict[str, Any], channels: Channels, left: Count) -> None:
    *others, last = config["target_shape"]
    config["target_shape"] = (*others, last if last == -1 else left(channels))
