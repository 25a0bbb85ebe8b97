"""Rules of preprocessing layers that are part of a model."""

from tf_rigl.surgery import channelwise
from tf_rigl.surgery import kernels
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import varying


def normalization(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Normalization, whose means and variances stay whole.

    They may be arrays of its configuration; it reads the model's inputs, as a
    rule, which stay anyway.
    """
    features = call.only_input()
    plans.keep(features.channels, f"read by {call.path} (Normalization)")
    return varying(features.channels)


def rescaling(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows Rescaling by numbers that all channels share."""
    for value in (call.layer.scale, call.layer.offset):
        if not isinstance(value, (int, float)):
            raise Untrackable("a scale or an offset for each channel")
    return channelwise.elementwise(plans, call)


def image(plans: ChannelAnalysis, call: Call) -> Features:
    """Follows layers that move, resize or change all channels alike.

    No channel counts as constant: they fill borders, interpolate, and may be
    called with `training=True`, by which their output is random.
    """
    del plans
    kernels.check_layout(call)
    return varying(call.only_input().channels)
