"""Numbers of channels to keep, by the paths of layers."""

from collections.abc import Sequence

import numpy as np

from tf_rigl.core import checks
from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery import channel_groups
from tf_rigl.surgery.channel_groups import ChannelGroup
from tf_rigl.surgery.channel_plan import ChannelAnalysis


def find(
    plans: ChannelAnalysis,
    groups: Sequence[ChannelGroup],
    path: str,
    width: int,
) -> tuple[list[int], int]:
    """Finds which groups lose how many channels for the width of a layer.

    Args:
        plans: the plans of all layers.
        groups: the groups of the model.
        path: the path of a layer, or of a projection of attention.
        width: the number of features of the layer, or of heads, to keep. A
            channel may be several of them, as in grouped convolutions.

    Returns:
        The indices of the groups that the layer makes, and the number of
        channels to remove from all of them together.

    Raises:
        ValueError: if the layer is unknown or cannot have this width.
    """
    makers = sorted({one for group in groups for one in group.makers})
    if path not in makers:
        raise ValueError(
            "`widths` must name layers that make channels. Received: "
            f"widths with {path!r}. Such layers are {makers}."
        )
    checks.check_positive(f"widths[{path!r}]", width)

    roots = plans.graph.roots()
    features = np.bincount(roots[_written(plans, path)], minlength=len(roots))
    own = [
        index
        for index, group in enumerate(groups)
        if path in group.makers and features[group.roots].any()
    ]
    some = [groups[index] for index in own]
    size = _features_of_a_channel(some, features, path, width)
    _check_between(some, path, width, size)
    return own, sum(group.channels for group in some) - width // size


def _written(plans: ChannelAnalysis, path: str) -> Channels:
    """Returns the channels that a layer writes, or those of its heads."""
    by_path = {plan.path: plan for plan in channel_groups.outer_plans(plans)}
    if path in by_path:
        return by_path[path].outputs
    layer, _, projection = path.rpartition("/")
    plan = by_path[layer]
    return plan.outputs if projection == "attention_output" else plan.inner


def _features_of_a_channel(
    groups: Sequence[ChannelGroup],
    features: np.ndarray,
    path: str,
    width: int,
) -> int:
    """Returns how many features of the layer each of the channels is.

    Raises:
        ValueError: if the width is not a multiple, or channels differ.
    """
    roots = np.concatenate([group.roots for group in groups])
    sizes = np.unique(features[roots]).tolist()
    if len(sizes) > 1 or width % sizes[0]:
        raise ValueError(
            "Features of one channel stay or go together. Received: widths "
            f"with {path!r}: {width}, which has channels of "
            f"{' and '.join(map(str, sizes))} features. Choose a multiple, or "
            "name the channels in `masks`."
        )
    return sizes[0]


def _check_between(
    groups: Sequence[ChannelGroup], path: str, width: int, size: int
) -> None:
    """Raises a ValueError if the layer cannot have this many features."""
    channels = sum(group.channels for group in groups)
    if width > channels * size:
        raise ValueError(
            "Channels can only be removed. Received: "
            f"widths with {path!r}: {width}, which has {channels * size}. "
            "Leave it out."
        )
    free = [group for group in groups if not group.kept]
    least = channels - sum(group.channels - 1 for group in free)
    if width < least * size:
        reasons = [reason for group in groups for reason in group.kept]
        raise ValueError(
            "A layer keeps the channels that others need. Received: "
            f"widths with {path!r}: {width}, but {least * size} of "
            f"{channels * size} must stay: "
            f"{'; '.join(reasons) or 'one of each group'}. Leave it out, prune "
            "a model that ends before, or declare a layer of your own by "
            "`tf_rigl.channel_rule`."
        )
