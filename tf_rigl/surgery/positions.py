"""Rules of layers that move, drop or gather positions."""

import math
from typing import Any

import numpy as np

from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import Count
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import common
from tf_rigl.surgery.features import varying
from tf_rigl.surgery.kernels import check_channels_last


def pooling(plans: ChannelAnalysis, call: Call) -> Features:
    """Pooling, local and global, and cropping: constants stay constant."""
    del plans
    check_channels_last(call)
    return call.only_input()


def up_sampling(plans: ChannelAnalysis, call: Call) -> Features:
    """UpSampling: constants stay constant but for a few ways of it."""
    features = pooling(plans, call)
    way = getattr(call.layer, "interpolation", "nearest")
    if way in ("nearest", "bilinear"):
        return features
    return varying(features.channels)


def zero_padding(plans: ChannelAnalysis, call: Call) -> Features:
    """ZeroPadding: of the constants only zeros stay constant."""
    features = pooling(plans, call)
    return Features(features.channels, features.zeros())


def repeat_vector(plans: ChannelAnalysis, call: Call) -> Features:
    """RepeatVector: [features] at every step."""
    del plans
    return call.only_input()


def permute(plans: ChannelAnalysis, call: Call) -> Features:
    """Permute where the features stay last."""
    del plans
    dims = tuple(call.layer.dims)
    if dims[-1] != len(dims):
        raise Untrackable(f"dims={dims}")
    return call.only_input()


def flatten(plans: ChannelAnalysis, call: Call) -> Features:
    """Flatten: the features of each position in turn."""
    del plans
    if len(call.input_shapes[0]) > 2:
        check_channels_last(call)
    return _flattened(call)


def reshape(plans: ChannelAnalysis, call: Call) -> Features:
    """Reshape where features stay last, are flattened, or are divided."""
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
    """The input of a model within the model."""
    features = call.only_input()

    def resize(config: dict[str, Any], left: Count) -> None:
        for name in ("batch_shape", "batch_input_shape"):
            if config.get(name):
                shape = config[name]
                config[name] = (*shape[:-1], left(features.channels))

    plans.add(call, features.channels, features.channels, {}, resize)
    return features


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
    """Cuts a vector into positions of `count` channels, which it then has."""
    rows = features.channels.reshape(-1, count)
    for row in rows[1:]:
        plans.graph.tie(row, rows[0])
    return Features(rows[0], common(features.constants.reshape(-1, count)))


def _set_last(config: dict[str, Any], channels: Channels, left: Count) -> None:
    *others, last = config["target_shape"]
    config["target_shape"] = (*others, last if last == -1 else left(channels))
