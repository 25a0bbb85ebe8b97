"""Where Keras 3 adds a bias to tensors with channels first.

Since Keras 3.8 it takes the last axis for that of the channels if it has as
many positions as the layer has filters (seen up to 3.15, in `keras.ops.add` on
TensorFlow). So no layer may be left with that many, and in one that has that
many its channels cannot be told from positions.
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from tf_rigl.backend.flavor import Flavor
from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery.features import LAST
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Untrackable


def width_of(flavor: Flavor, call: Call) -> int | None:
    """Returns the number of filters with which a layer would go wrong."""
    has_bias = hasattr(call.layer, "use_bias")
    if call.axis == LAST or not has_bias or not _goes_wrong(flavor):
        return None
    return call.output_shapes[0][-2]


@functools.cache
def _goes_wrong(flavor: Flavor) -> bool:
    """Returns whether this Keras adds a bias of 2 along a width of 2."""
    if flavor.name != "keras3":
        return False
    bias = np.array([0.0, 1.0]).reshape(1, 2, 1, 1)
    added = flavor.keras.ops.add(np.zeros((1, 2, 1, 2)), bias)
    return bool(np.asarray(added)[0, 0, 0, 1])


def check(flavor: Flavor, call: Call) -> None:
    """Raises an Untrackable if a layer goes wrong as it is."""
    width = width_of(flavor, call)
    is_wrong = width is not None and width == call.output_shapes[0][-1]
    if is_wrong and call.layer.use_bias:
        raise Untrackable(
            f"Keras 3 adds its bias along the width, {width} like its filters"
        )


def must_stay(plans: Any, needed: np.ndarray) -> Iterator[tuple[Channels, str]]:
    """Yields a channel of each layer that would go wrong, with the reason.

    Args:
        plans: the `ChannelAnalysis`.
        needed: bool [channels], those that are to stay.
    """
    for plan in plans.of.values():
        if plan.bias_width is None:
            continue
        gone = plan.outputs[~needed[plan.outputs]]
        left = len(plan.outputs) - len(gone)
        if not len(gone) or left != plan.bias_width:
            continue
        if "bias" in plan.axes or plan.addition(needed) is not None:
            yield (
                gone[:1],
                f"of {left} filters, Keras 3 would add the bias of {plan.path} "
                "along the width",
            )
