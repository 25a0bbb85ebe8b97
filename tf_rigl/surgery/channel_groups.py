"""Groups of channels that must stay or go together."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from tf_rigl.backend import flavor as flavors
from tf_rigl.core import cells
from tf_rigl.core.channel_graph import Channels
from tf_rigl.core.text_table import aligned
from tf_rigl.surgery import analysis
from tf_rigl.surgery import channel_plan
from tf_rigl.surgery import supported_models
from tf_rigl.surgery.channel_plan import Axes
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.channel_plan import LayerPlan

_HEADER = ("made by", "together with", "channels")


@dataclasses.dataclass(frozen=True)
class ChannelMember:
    """The part of one weight that belongs to the channels of a group.

    Attributes:
        path: the path of the weight, as "block/conv/kernel".
        layer_path: the path of the layer, or of the projection of an attention
            layer, as "block/mha/value".
        layer: the layer whose weight it is.
        name: the weight's name in the layer.
        variable: the weight, a variable of Keras.
        axis: the axis of the weight along which the channels are.
        positions: int64 [channels, n], the positions of each channel on that
            axis; n is more than 1 where a channel has become several features,
            as behind Flatten.
        makes: whether the layer makes the channels by this weight, rather
            than reads them.
    """

    path: str
    layer_path: str
    layer: Any
    name: str
    variable: Any
    axis: int
    positions: np.ndarray
    makes: bool

    @property
    def is_kernel(self) -> bool:
        """True for weights that multiply several inputs."""
        name = self.name.rpartition("/")[2]
        return name.endswith("kernel") or name == "embeddings"

    def slices(self, values: np.ndarray | None = None) -> np.ndarray:
        """Returns the values of each channel, [channels, elements].

        Args:
            values: an array of the weight's shape, such as a gradient; by
                default the present values.
        """
        if values is None:
            flavor = flavors.flavor_of(self.layer)
            values = flavor.raw(self.variable).numpy()
        if values.dtype.itemsize < 4:
            values = values.astype(np.float32)
        channels, times = self.positions.shape
        taken = np.moveaxis(values, self.axis, 0)[self.positions.reshape(-1)]
        return taken.reshape(channels, times * taken[0].size)


@dataclasses.dataclass(frozen=True)
class ChannelGroup:
    """Channels of the same weights; each of them stays or goes in all.

    Attributes:
        members: the weights that have these channels, in the model's order.
        kept: why all channels must stay; empty if they may be removed.
        roots: int64 [channels], the numbers of the channels in the analysis.
    """

    members: tuple[ChannelMember, ...]
    kept: tuple[str, ...]
    roots: Channels = dataclasses.field(repr=False)

    @property
    def channels(self) -> int:
        """The number of channels."""
        return len(self.roots)

    @property
    def kernels(self) -> tuple[ChannelMember, ...]:
        """The kernels that make the channels."""
        return tuple(one for one in self.members if one.makes and one.is_kernel)

    @property
    def scales(self) -> tuple[ChannelMember, ...]:
        """The scales γ of the normalization layers of these channels."""
        return tuple(
            one
            for one in self.members
            if one.name.rpartition("/")[2] in ("gamma", "scale")
            and type(_innermost(one.layer)).__name__.endswith("Normalization")
        )

    @property
    def makers(self) -> tuple[str, ...]:
        """The paths of the layers that make the channels."""
        return tuple(dict.fromkeys(one.layer_path for one in self.kernels))

    @property
    def name(self) -> str:
        """The first layer that makes the channels, or one that reads them."""
        if self.makers:
            return self.makers[0]
        return f"input of {self.members[0].layer_path}"


@dataclasses.dataclass(frozen=True)
class ChannelGroups:
    """All groups of a model; `str()` makes a table.

    Attributes:
        name: the model's name.
        groups: the groups in the model's order, those that must stay too.
    """

    name: str
    groups: tuple[ChannelGroup, ...]

    def __iter__(self) -> Iterator[ChannelGroup]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def __str__(self) -> str:
        body = [
            (one.name, ", ".join(_others(one)), cells.count(one.channels))
            for one in self.groups
        ]
        table = aligned(_HEADER, body, text_columns=2)
        kept = [
            f"- {one.name}: {'; '.join(one.kept)}"
            for one in self.groups
            if one.kept
        ]
        notes = ["", "Kept:", *kept] if kept else []
        return "\n".join([f"Model {self.name!r}", "", *table, *notes])


def channel_groups(model: Any) -> ChannelGroups:
    """Lists the channels of a model that must stay or go together.

    Layers tie channels: a sum those of its branches, a depthwise convolution,
    a normalization or a gate those that it reads to those that it writes. A
    group has the channels that are made and read by the same weights;
    `prune_channels` removes channels from groups. All channels of a group stay
    if they are inputs or outputs of the model or if a layer reads them whose
    channels cannot be followed; `kept` says so.

    Args:
        model: a built functional or sequential model of either Keras, with or
            without masks. It is not changed.

    Returns:
        The groups in the model's order; `str()` makes a table of the layers
        that make them and the reasons for which they are kept.

    Raises:
        TypeError: if `model` is a model of neither Keras.
        ValueError: if the model is subclassed or not built.

    Example:
        >>> print(tf_rigl.channel_groups(model))
        >>> [group.channels for group in tf_rigl.channel_groups(model)]
    """
    flavor = flavors.model_flavor(model)
    supported_models.check(model)
    plans = analysis.analyze(flavor, model, exact=False)
    # The analysis has called layers to compute constants, which adds losses.
    model._clear_losses()
    return ChannelGroups(model.name, tuple(find_groups(plans)))


def find_groups(plans: ChannelAnalysis) -> list[ChannelGroup]:
    """Finds the groups of an analyzed model."""
    roots = plans.graph.roots()
    axes = list(_all_axes(plans))
    weights = {id(plan): plans.weights(plan.layer) for plan, *_ in axes}

    # The weights of each channel, as pairs of a place in `axes` and the
    # number of positions, and these positions.
    keys: dict[int, list[tuple[int, int]]] = {}
    positions: dict[tuple[int, int], np.ndarray] = {}
    for place, (_, _, _, channels) in enumerate(axes):
        own = roots[channels]
        order = np.argsort(own, kind="stable")
        unique, starts = np.unique(own[order], return_index=True)
        for root, some in zip(
            unique.tolist(), np.split(order, starts[1:]), strict=True
        ):
            keys.setdefault(root, []).append((place, len(some)))
            positions[root, place] = some

    reasons = _reasons(plans, roots)
    alike: dict[Any, list[int]] = {}
    for root, key in keys.items():
        alike.setdefault((tuple(key), reasons.get(root, ())), []).append(root)

    groups = []
    for (key, kept), numbers in sorted(alike.items()):
        first = key[0][0]
        own = np.array(numbers)
        own = own[np.argsort([positions[one, first][0] for one in numbers])]
        members = tuple(
            _member(
                axes[place],
                weights,
                np.stack([positions[one, place] for one in own.tolist()]),
            )
            for place, _ in key
        )
        group = ChannelGroup(members, kept, own)
        if not kept and not group.kernels:
            kept = ("no kernel makes them",)
            group = dataclasses.replace(group, kept=kept)
        groups.append(group)
    return groups


def outer_plans(plans: ChannelAnalysis) -> list[LayerPlan]:
    """Lists the plans of all layers but those within wrappers."""
    inside = {
        id(below)
        for plan in plans.of.values()
        for below in channel_plan.layers_below(plans.flavor, plan.layer)[1:]
    }
    return [plan for key, plan in plans.of.items() if key not in inside]


def written_axes(plan: LayerPlan, axes: Axes) -> list[int]:
    """Lists the axes of a weight along which a layer makes channels.

    They are those of its outputs, and of channels within it, such as heads.
    """
    inner = [
        axis
        for axis, channels in axes.items()
        if np.isin(channels, plan.outputs).all()
        or not np.isin(channels, plan.inputs).any()
    ]
    # The rows of a recurrent kernel read the same units as its columns make.
    return [
        axis
        for axis in inner
        if not any(
            other > axis and set(axes[other]) == set(axes[axis])
            for other in inner
        )
    ]


def _all_axes(
    plans: ChannelAnalysis,
) -> Iterator[tuple[LayerPlan, str, int, Channels]]:
    for plan in outer_plans(plans):
        for name, axes in plan.axes.items():
            for axis, channels in axes.items():
                yield plan, name, axis, channels


def _member(
    place: tuple[LayerPlan, str, int, Channels],
    weights: dict[int, dict[str, Any]],
    positions: np.ndarray,
) -> ChannelMember:
    plan, name, axis, _ = place
    path = f"{plan.path}/{name}"
    has_heads = len(plan.inner) > 0
    return ChannelMember(
        path,
        path.rpartition("/")[0] if has_heads else plan.path,
        plan.layer,
        name,
        weights[id(plan)][name],
        axis,
        positions,
        axis in written_axes(plan, plan.axes[name]),
    )


def _reasons(
    plans: ChannelAnalysis, roots: Channels
) -> dict[int, tuple[str, ...]]:
    """Returns the distinct reasons for which each channel is kept."""
    found: dict[int, dict[str, None]] = {}
    for channels, reason in plans.reasons:
        for root in np.unique(roots[channels]).tolist():
            found.setdefault(root, {})[reason] = None
    return {root: tuple(reasons) for root, reasons in found.items()}


def _innermost(layer: Any) -> Any:
    """Returns the layer within wrappers such as TimeDistributed."""
    while hasattr(layer, "layer"):
        layer = layer.layer
    return layer


def _others(group: ChannelGroup) -> tuple[str, ...]:
    """Lists the other layers that make the channels."""
    return tuple(one for one in group.makers if one != group.name)
