"""Rules of layers that treat each channel by itself."""

import numpy as np

from tf_rigl.surgery import kernels
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import evaluate
from tf_rigl.surgery.features import positions
from tf_rigl.surgery.features import varying
from tf_rigl.surgery.kernels import is_elementwise


def identity(plans: ChannelAnalysis, call: Call) -> Features:
    """Dropout and noise, which do nothing at inference."""
    del plans
    return call.only_input()


def elementwise(plans: ChannelAnalysis, call: Call) -> Features:
    """Layers that are an elementwise function."""
    del plans
    features = call.only_input()
    return _evaluated(call, features, features.constants)


def activation(plans: ChannelAnalysis, call: Call) -> Features:
    """Activation of a function."""
    if not is_elementwise(plans.flavor, call.layer.activation):
        raise Untrackable("its function may mix features")
    return elementwise(plans, call)


def batch_normalization(plans: ChannelAnalysis, call: Call) -> Features:
    """BatchNormalization of the last axis: every weight is [channels]."""
    rank = len(call.input_shapes[0])
    axis = call.layer.axis
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if axes not in ([-1], [rank - 1]):
        raise Untrackable(f"axis={axis}")
    return _scale(plans, call)


def prelu(plans: ChannelAnalysis, call: Call) -> Features:
    """PReLU: one slope [..., channels] at each position or for all."""
    slopes = plans.value(call.layer, "alpha")
    features = call.only_input()
    if slopes.shape[-1] != len(features.channels):
        raise Untrackable("its slopes are shared by channels")
    scaled = _scale(plans, call)
    if slopes.size == slopes.shape[-1]:
        return scaled
    return varying(scaled.channels)


def _scale(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows a layer with weights [..., channels]."""
    features = call.only_input()

    axes = {
        name: {len(variable.shape) - 1: features.channels}
        for name, variable in plans.weights(call.layer).items()
    }
    plans.add(call, features.channels, features.channels, axes)
    return _evaluated(call, features, features.constants)


def depthwise_convolution(plans: ChannelAnalysis, call: Call) -> Features:
    """DepthwiseConv1D and 2D: outputs stand or fall with their channel."""
    kernels.check_channels_last(call)
    layer = call.layer
    features = call.only_input()
    if not is_elementwise(plans.flavor, layer.activation):
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


def _evaluated(
    call: Call, features: Features, constants: np.ndarray
) -> Features:
    """Returns what a layer makes of constants, channel by channel."""
    values = evaluate(call.layer, [constants], positions(call))
    return Features(
        features.channels, np.where(np.isnan(constants), np.nan, values)
    )
