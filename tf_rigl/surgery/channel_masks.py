"""Masks of channels, by the paths of layers and of their weights."""

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_rigl.core.channel_graph import Channels
from tf_rigl.masking import tree
from tf_rigl.surgery import channel_groups
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import LayerPlan

# The weight of attention whose masks are those of its heads, with grouped
# queries, too.
HEADS = "value/kernel"


def made_channels(plans: ChannelAnalysis) -> Iterator[tuple[str, Channels]]:
    """Yields what layers write, by the paths under which `find` knows it."""
    for plan in channel_groups.outer_plans(plans):
        if plan.axes:
            yield plan.path, plan.outputs
        if len(plan.inner):
            yield f"{plan.path}/{HEADS}", plan.inner


def find(
    plans: ChannelAnalysis, masks: Mapping[str, Any]
) -> Iterator[tuple[Channels, np.ndarray]]:
    """Yields the channels of each mask and the mask, bool [channels].

    A mask of a whole weight, as structured ones are, keeps a channel that has
    any of its connections.

    Args:
        plans: the plans of all layers.
        masks: by the path of a layer or of a weight, as masked weights have it
            or with the weight's name in the outermost layer.

    Raises:
        ValueError: if a path is unknown or a mask has another size or dtype.
    """
    layers = {plan.path: plan for plan in plans.of.values() if plan.axes}
    weights = _weights(plans)
    for path, mask in masks.items():
        try:
            mask = np.asarray(mask)
        except ValueError as error:
            raise ValueError(
                "A mask must be a bool array. Received: "
                f"masks[{path!r}]={mask!r}."
            ) from error
        if path in layers:
            channels = layers[path].outputs
        elif path in weights:
            channels, mask = _along_channels(plans, *weights[path], mask)
        else:
            raise ValueError(
                "`masks` must name layers with channels, or their weights. "
                f"Received: masks with {path!r}. Such layers are "
                f"{sorted(layers)}."
            )
        if mask.shape != channels.shape or mask.dtype != bool:
            raise ValueError(
                "A mask must be bool with one value a channel. Received: "
                f"masks[{path!r}] of {mask.dtype} and shape {mask.shape} for "
                f"{len(channels)} channels."
            )
        yield channels, mask


def unfollowed(plans: ChannelAnalysis) -> set[str]:
    """Returns the paths of weights whose channels are not known."""
    model = plans.models[0]
    paths = {site.path for site in tree.sites(plans.flavor, model)}
    return paths - _weights(plans).keys()


def _weights(plans: ChannelAnalysis) -> dict[str, tuple[LayerPlan, str]]:
    """Returns the plan and the name of each weight with channels, by path."""
    found: dict[str, tuple[LayerPlan, str]] = {}
    for plan in channel_groups.outer_plans(plans):
        if not plan.axes:
            continue
        own = plans.weights(plan.layer)
        names = {id(variable): name for name, variable in own.items()}
        paths = {name: name for name in own}
        for site in tree.sites(plans.flavor, plan.layer):
            paths[site.path] = names.get(id(site.variable), "")
        found.update(
            (f"{plan.path}/{path}", (plan, name))
            for path, name in paths.items()
            if name in plan.axes
        )
    return found


def _along_channels(
    plans: ChannelAnalysis, plan: LayerPlan, name: str, mask: np.ndarray
) -> tuple[Channels, np.ndarray]:
    """Returns the channels that a weight makes, or reads, and their mask."""
    axes = plan.axes[name]
    (*_, axis) = channel_groups.written_axes(plan, axes) or [max(axes)]
    if mask.shape == tuple(plans.weights(plan.layer)[name].shape):
        others = tuple(one for one in range(mask.ndim) if one != axis)
        mask = np.asarray(mask.any(axis=others))
    return axes[axis], mask
