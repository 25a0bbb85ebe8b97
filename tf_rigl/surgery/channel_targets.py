"""Ways to say how many channels go: ratios, widths, budgets and masks."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_rigl.accounting.profile import profile
from tf_rigl.core import channel_selection
from tf_rigl.core import checks
from tf_rigl.core import decimals
from tf_rigl.core.channel_selection import Limits
from tf_rigl.surgery import channel_masks
from tf_rigl.surgery import channel_removal
from tf_rigl.surgery import channel_widths
from tf_rigl.surgery.channel_costs import ChannelCosts
from tf_rigl.surgery.channel_groups import ChannelGroup
from tf_rigl.surgery.channel_plan import ChannelAnalysis

Removed = list[np.ndarray]  # bool [channels] for each group


@dataclasses.dataclass(frozen=True)
class Request:
    """The channels of a model, scored, and the limits of their removal.

    Channels of groups with `kept` are not removed, whatever their scores.
    """

    plans: ChannelAnalysis
    groups: Sequence[ChannelGroup]
    scores: Sequence[np.ndarray]  # float64 [channels] for each group
    is_global: bool  # whether the channels of all groups compete
    limits: Limits
    costs: ChannelCosts | None  # None if the model leaves sizes open

    @property
    def free(self) -> list[int]:
        """The indices of the groups that may lose channels."""
        return [i for i, group in enumerate(self.groups) if not group.kept]

    def spread(self, removed: Sequence[np.ndarray]) -> Removed:
        """Returns a selection of the free groups as one of all groups."""
        given = iter(removed)
        return [
            np.zeros(group.channels, bool) if group.kept else next(given)
            for group in self.groups
        ]

    def as_channels(self, removed: Removed) -> np.ndarray:
        """Returns a selection as bool [channels] of the analysis."""
        roots = self.plans.graph.roots()
        chosen = np.zeros(len(roots), bool)
        for group, gone in zip(self.groups, removed, strict=True):
            chosen[group.roots[gone]] = True
        return chosen[roots]


def one_target(**targets: Any) -> tuple[str, Any]:
    """Returns the name and the value of the only target.

    Raises:
        ValueError: if not exactly one is given.
    """
    given = {k: value for k, value in targets.items() if value is not None}
    if len(given) != 1:
        raise ValueError(
            f"Exactly one of {', '.join(map(repr, targets))} must be given. "
            f"Received: {given or 'none'}."
        )
    ((name, value),) = given.items()
    if name == "ratio":
        checks.check_fraction(name, value, "the share of channels to remove")
    if name in ("parameters", "flops"):
        checks.check_positive(name, value)
    if name in ("widths", "masks") and not isinstance(value, Mapping):
        raise TypeError(
            f"`{name}` must be a dictionary by the paths of layers. Received: "
            f"{name}={value!r}."
        )
    return name, value


def reach(model: Any, request: Request, name: str, value: Any) -> Any:
    """Makes the smaller model that reaches a target.

    Raises:
        ValueError: if it cannot be reached; the model is not changed.
    """
    if name in ("parameters", "flops"):
        return _reach_budget(model, request, name, value)
    select = {"ratio": by_ratio, "widths": by_widths, "masks": by_masks}[name]
    removed = select(request, value)
    _explain_kept(request)
    chosen = request.as_channels(removed)
    return channel_removal.remove(model, request.plans, chosen)


def by_ratio(request: Request, ratio: Any) -> Removed:
    """Removes a share of the channels, of each group or of all together."""
    scores = [request.scores[index] for index in request.free]
    sizes = [len(one) for one in scores]
    if request.is_global:
        count = decimals.floor_of(ratio, sum(sizes))
        return request.spread(
            channel_selection.remove_globally(scores, count, request.limits)
        )
    kept = channel_selection.by_ratio(sizes, ratio, request.limits)
    return request.spread(channel_selection.remove_lowest(scores, kept))


def by_widths(request: Request, widths: Mapping[str, int]) -> Removed:
    """Removes channels of named layers down to given numbers.

    Raises:
        ValueError: if a layer is unknown or cannot have that many channels.
    """
    removed = [np.zeros(group.channels, bool) for group in request.groups]
    asked: dict[int, str] = {}
    for path, width in widths.items():
        own, count = channel_widths.find(
            request.plans, request.groups, path, width
        )
        free = [index for index in own if not request.groups[index].kept]
        scores = [request.scores[index] for index in free]
        gone = channel_selection.remove_globally(scores, count, Limits())
        for index, some in zip(free, gone, strict=True):
            other = asked.setdefault(index, path)
            if other != path and (removed[index] != some).any():
                raise ValueError(
                    "Coupled layers must have the same width. Received: "
                    f"widths with {other!r}: {widths[other]} and {path!r}: "
                    f"{width}, which a sum or a depthwise convolution ties. "
                    "Name one of them."
                )
            removed[index] = some
    return removed


def by_masks(request: Request, masks: Mapping[str, Any]) -> Removed:
    """Removes the channels that are False in all masks that have them.

    Raises:
        ValueError: if a layer is unknown, a mask has another size, or no
            masked channel may be removed.
    """
    roots = request.plans.graph.roots()
    named = np.zeros(len(roots), bool)
    wanted = np.zeros(len(roots), bool)
    off = np.zeros(len(roots), bool)
    # Channels within layers that are not followed stay, as the report says.
    others = channel_masks.unfollowed(request.plans) & masks.keys()
    followed = {path: masks[path] for path in masks if path not in others}
    for channels, mask in channel_masks.find(request.plans, followed):
        named[roots[channels]] = True
        wanted[roots[channels[mask]]] = True
        off[roots[channels[~mask]]] = True

    request.plans.reasons.append(
        (np.flatnonzero(off & wanted), "kept by the mask of a coupled layer")
    )
    gone = named & ~wanted
    removed = channel_selection.restore(
        [request.scores[index] for index in request.free],
        [gone[request.groups[index].roots] for index in request.free],
        request.limits._replace(max_ratio=1.0),
    )
    unknown = [path for path in others if not np.all(masks[path])]
    is_asked = gone.any() or unknown
    if is_asked and not any(some.any() for some in removed):
        reasons = {
            f"{group.name}: {', '.join(group.kept)}"
            for group in request.groups
            if group.kept and gone[group.roots].any()
        }
        reasons |= {f"{path}: its channels are not known" for path in unknown}
        raise ValueError(
            "Masks must remove channels that may be removed. Received: masks "
            f"of {sorted(masks)}. Kept are {'; '.join(sorted(reasons))}. Leave "
            "them out, prune a model that ends before, or declare a layer of "
            "your own by `tf_rigl.channel_rule`."
        )
    return request.spread(removed)


def _reach_budget(model: Any, request: Request, name: str, most: int) -> Any:
    """Makes the largest model within a budget, by bisection of the ratio."""
    costs = request.costs or ChannelCosts(model, request.plans)
    if name == "flops" and costs.open_layers:
        raise ValueError(
            "A budget of FLOPs needs a model of known sizes. Received: flops="
            f"{most} for {model.name!r}, whose inputs leave those of "
            f"{costs.open_layers[:3]} open. Build it with the sizes of images "
            "and the number of time steps, or pass `parameters`."
        )
    cost = costs.parameters if name == "parameters" else costs.flops
    sizes = [request.groups[index].channels for index in request.free]
    steps = channel_selection.ratios(
        [sum(sizes)] if request.is_global else sizes
    )

    def chosen(step: int) -> np.ndarray:
        return request.as_channels(by_ratio(request, steps[step]))

    def measure(step: int) -> tuple[Any, int]:
        """Makes the model of a ratio and counts what it costs."""
        del request.plans.reasons[reasons:]
        smaller = channel_removal.remove(model, request.plans, chosen(step))
        return smaller, _measure(smaller, name)

    first = channel_selection.first_fit(
        len(steps), lambda step: cost(chosen(step)) <= most
    )
    _explain_kept(request)
    reasons = len(request.plans.reasons)
    least = cost(chosen(len(steps) - 1))
    if first is not None:
        smaller, least = measure(first)
        if least <= most:
            return smaller
        # Channels that must stay after all, and biases that take up
        # constants, cost more than was counted.
        after = channel_selection.first_fit(
            len(steps) - first, lambda step: measure(first + step)[1] <= most
        )
        last = len(steps) - 1 if after is None else first + after
        smaller, least = measure(last)
        if least <= most:
            return smaller

    raise ValueError(
        "The smallest model must be within the budget. Received: "
        f"{name}={most}, but with all channels removed that may be, "
        f"{least} are left. Raise the budget, or lower `min_channels`, raise "
        "`max_ratio` or leave out layers of `keep`."
    )


def _measure(model: Any, name: str) -> int:
    found = profile(model)
    return found.parameters if name == "parameters" else found.dense_flops


def _explain_kept(request: Request) -> None:
    """Adds to the plans why whole groups are kept, for the report."""
    known = {reason for _, reason in request.plans.reasons}
    for group in request.groups:
        for reason in group.kept:
            if reason not in known:
                request.plans.reasons.append((group.roots, reason))
