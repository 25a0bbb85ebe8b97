"""Rules of layers that normalize, other than by statistics of batches."""

from typing import Any

import numpy as np

from tf_rigl.surgery.channel_plan import Axes
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import Count
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import evaluate
from tf_rigl.surgery.features import from_the_front
from tf_rigl.surgery.features import positions
from tf_rigl.surgery.features import varying

_MIXES = "mixes its channels"


def over_features(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows LayerNormalization, RMSNormalization and UnitNormalization.

    Their statistics are those of all channels, which therefore stay if outputs
    must stay the same. Weights have one axis for each normalized one.
    """
    features = call.only_input()
    rank = len(call.input_shapes[0])
    axes = from_the_front(call.layer.axis, rank)
    if rank - 1 not in axes:
        return varying(features.channels)
    if plans.exact:
        raise Untrackable(_MIXES)

    at = axes.index(rank - 1)
    weights: dict[str, Axes] = {
        name: {at: features.channels} for name in plans.weights(call.layer)
    }
    return _mixed(plans, call, weights, at)


def _mixed(
    plans: ChannelAnalysis, call: Call, weights: dict[str, Axes], axis: int
) -> Features:
    """Follows a layer whose statistics change with the channels that go.

    Its weights have the channels on the given axis.
    """
    features = call.only_input()
    plans.add(call, features.channels, features.channels, weights)
    plans.mixing.append((features.channels, call.path))
    values = plans.values(call.layer)
    scale = values.get("gamma", values.get("scale"))
    constants = varying(features.channels).constants
    if scale is not None:
        shift = values.get("beta", 0 * scale)
        constants = _shifts(scale, shift, axis)
    if not hasattr(call.layer, "center"):
        # No mean is subtracted, so that zeros stay.
        constants = np.where(features.constants == 0, 0.0, constants)
    return Features(features.channels, constants)


def _shifts(scale: np.ndarray, shift: np.ndarray, axis: int) -> np.ndarray:
    """Returns what a scale of zero leaves of each channel, NaN without.

    It is a constant if it does not depend on the other normalized axes.
    """
    scales, shifts = (
        np.moveaxis(one, axis, 0).reshape(one.shape[axis], -1)
        for one in (scale, shift)
    )
    same = (shifts == shifts[:, :1]).all(axis=1)
    fixed = (scales == 0).all(axis=1) & same
    return np.where(fixed, shifts[:, 0], np.nan)


def group_normalization(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows GroupNormalization over features; weights [channels].

    Its statistics are those of a group, so that whole groups go.
    """
    features = call.only_input()
    layer = call.layer
    if not call.is_along_features(layer.axis):
        raise Untrackable(f"axis={layer.axis}")

    # Once it is built, -1 is the number of channels.
    groups = layer.groups
    if groups == 1 and plans.exact:
        raise Untrackable(_MIXES)
    size = len(features.channels) // groups
    weights: dict[str, Axes] = {
        name: {0: features.channels} for name in plans.weights(layer)
    }
    if groups == 1:
        return _mixed(plans, call, weights, 0)

    def resize(config: dict[str, Any], left: Count) -> None:
        config["groups"] = left(features.channels) // size

    for group in np.split(features.channels, groups):
        plans.graph.tie(group, np.repeat(group[0], size))
    plans.add(call, features.channels, features.channels, weights, resize)

    constants = features.constants
    unknown = np.isnan(constants).reshape(groups, size).any(axis=1)
    varies = np.repeat(unknown, size)
    if layer.scale:
        varies &= plans.value(layer, "gamma") != 0
    values = evaluate(call, [constants], positions(call))
    return Features(features.channels, np.where(varies, np.nan, values))


def layer_scale(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows LayerScale of ConvNeXt, a factor for each channel.

    A factor of zero makes a zero channel.
    """
    features = call.only_input()
    ((name, gamma),) = plans.values(call.layer).items()
    plans.add(
        call,
        features.channels,
        features.channels,
        {name: {0: features.channels}},
        lambda config, left: config.update(
            projection_dim=left(features.channels)
        ),
    )
    constants = np.where(gamma == 0, 0.0, features.constants * gamma)
    return Features(features.channels, constants)
