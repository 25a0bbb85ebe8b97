"""Rules of layers without units of their own.

Such layers treat each channel by itself, move, drop or gather positions, or
combine several tensors.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery import kernels
from tf_rigl.surgery.channel_plan import CONSTANT
from tf_rigl.surgery.channel_plan import Axes
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import Count
from tf_rigl.surgery.features import FIRST
from tf_rigl.surgery.features import LAST
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
    values = evaluate(call, [constants], positions(call))
    return Features(
        features.channels, np.where(np.isnan(constants), np.nan, values)
    )


def activation(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Activation, if its function is elementwise."""
    if not kernels.is_elementwise(plans.flavor, call.layer.activation):
        raise Untrackable("its function may mix features")
    return elementwise(plans, call)


def batch_normalization(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows BatchNormalization over features; weights [channels].

    Where gamma is 0, the output is beta, whatever the input is.
    """
    if not call.is_along_features(call.layer.axis):
        raise Untrackable(f"axis={call.layer.axis}")

    outputs = plans.own_outputs(call, call.only_input().channels)
    scaled = _scale(plans, call, outputs)
    gamma = plans.values(call.layer).get("gamma")
    if gamma is None or gamma.all():
        return scaled

    shifts = evaluate(call, [np.zeros(len(outputs))], positions(call))
    return Features(outputs, np.where(gamma == 0, shifts, scaled.constants))


def prelu(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows PReLU; zeros stay zeros.

    Other constants stay constants where all positions share slopes.
    """
    slopes = plans.value(call.layer, "alpha")
    features = call.only_input()
    axis = 0 if call.axis == FIRST else slopes.ndim - 1
    if slopes.shape[axis] != len(features.channels):
        raise Untrackable("its slopes are shared by channels")
    if slopes.size == slopes.shape[axis]:
        return _scale(plans, call, features.channels)
    axes: dict[str, Axes] = {"alpha": {axis: features.channels}}
    plans.add(call, features.channels, features.channels, axes)
    return Features(features.channels, features.zeros())


def depthwise_convolution(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows DepthwiseConv1D and 2D; outputs are cut with their input."""
    kernels.check_layout(call)
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
    constants = evaluate(call, [usable], extent)
    return Features(outputs, np.where(varies, np.nan, constants))


def pooling(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows pooling and cropping, which leave constants unchanged."""
    del plans
    kernels.check_layout(call)
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
    zeros = features.zeros()
    lost = np.isnan(zeros) & ~np.isnan(features.constants)
    why = f"{CONSTANT} {call.path} pads with zeros"
    plans.reasons.append((features.channels[lost], why))
    return Features(features.channels, zeros)


def permute(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Permute, which may put channels first or last."""
    del plans
    dims = tuple(call.layer.dims)
    return moved(call.only_input(), (0, *dims), f"dims={dims}")


def moved(features: Features, axes: Sequence[int], why: str) -> Features:
    """Returns features where a transposition puts them.

    Raises:
        Untrackable: with the given reason, if that is neither end.
    """
    rank = len(axes)
    place = list(axes).index(features.axis % rank)
    if place not in (FIRST, rank - 1):
        raise Untrackable(why)
    return features._replace(axis=LAST if place == rank - 1 else FIRST)


def flatten(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Flatten, which joins the features of all positions.

    Of channels first, it makes channels last before, if it knows.
    """
    del plans
    features = call.only_input()
    knows = call.layer.data_format == "channels_first"
    if knows and features.axis == LAST and len(call.input_shapes[0]) > 2:
        raise Untrackable("data_format='channels_first'")
    return _flattened(call, features.axis if not knows else LAST)


def reshape(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Reshape, if features stay whole, are flattened, or are split."""
    features = call.only_input()
    before, after = call.input_shapes[0][1:], call.output_shapes[0][1:]
    result = reshaped(call)
    if result is None and len(before) == 1 and after and after[-1]:
        result = _divided(plans, features, after[-1])
    if result is None:
        raise Untrackable(f"from {before} to {after}")

    def resize(config: dict[str, Any], left: Count) -> None:
        at = 0 if result.axis == FIRST else -1
        shape = list(config["target_shape"])
        if shape[at] != -1:
            shape[at] = left(result.channels)
        config["target_shape"] = tuple(shape)

    plans.add(call, features.channels, result.channels, {}, resize)
    return result


def reshaped(call: Call) -> Features | None:
    """Returns features that keep an axis of their own or are flattened.

    A vector becomes channels first if it is followed by axes of size 1. The
    result is None if features are neither.
    """
    features = call.only_input()
    before, after = call.input_shapes[0][1:], call.output_shapes[0][1:]
    if not before or not after:
        return None
    if features.axis == FIRST and len(after) > 1:
        return features if before[0] == after[0] else None
    if features.axis == LAST and before[-1] == after[-1]:
        return features
    if (
        len(before) == 1
        and before[0] == after[0]
        and all(size == 1 for size in after[1:])
    ):
        return features._replace(axis=FIRST)
    if len(after) > 1:
        return None
    result = _flattened(call, features.axis)
    return result if after == (len(result.channels),) else None


def input_layer(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows the input of an inner model."""
    features = call.only_input()

    def resize(config: dict[str, Any], left: Count) -> None:
        for name in ("batch_shape", "batch_input_shape"):
            if config.get(name):
                shape = list(config[name])
                shape[features.axis] = left(features.channels)
                config[name] = tuple(shape)

    plans.add(call, features.channels, features.channels, {}, resize)
    return features


def _scale(plans: ChannelAnalysis, call: Call, outputs: Channels) -> Features:
    """Follows a layer with weights [..., channels], or with channels first.

    `outputs` are the channels that it writes, its inputs or others.
    """
    inputs = call.only_input().channels

    axes = {
        name: {0 if call.axis == FIRST else len(variable.shape) - 1: outputs}
        for name, variable in plans.weights(call.layer).items()
    }
    plans.add(call, inputs, outputs, axes, selects=outputs is not inputs)
    return Features(outputs, elementwise(plans, call).constants)


def _flattened(call: Call, axis: int) -> Features:
    """Returns the features of all positions.

    `axis` is where features are while all axes are joined in their order.
    """
    features = call.only_input()
    _, *shape = call.input_shapes[0]
    del shape[0 if features.axis == FIRST else -1]
    sizes = [size for size in shape if size is not None]
    if len(sizes) < len(shape):
        raise Untrackable(f"an input of unknown size, {call.input_shapes[0]}")
    count = math.prod(sizes)
    copies = np.tile if axis == LAST else np.repeat
    return Features(
        copies(features.channels, count), copies(features.constants, count)
    )


def _divided(
    plans: ChannelAnalysis, features: Features, count: int
) -> Features:
    """Splits a vector into positions of `count` channels, which are tied."""
    rows = features.channels.reshape(-1, count)
    for row in rows[1:]:
        plans.graph.tie(row, rows[0])
    return Features(rows[0], common(features.constants.reshape(-1, count)))
