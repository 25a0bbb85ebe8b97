"""Changes of each layer of a model that shrinks."""

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_rigl.backend.flavor import Flavor
from tf_rigl.core.channel_graph import ChannelGraph
from tf_rigl.core.channel_graph import Channels
from tf_rigl.masking import tree
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import common

# Channels along axes of a weight; the other axes stay as they are.
Axes = Mapping[int, Channels]
# How many of some channels are left.
Count = Callable[[Channels], int]
Resize = Callable[[dict[str, Any], Count], None]


@dataclasses.dataclass
class Connections:
    """The inputs that each output of a layer is computed from."""

    inputs: Channels  # the channels that it reads
    outputs: Channels  # the channels that it writes
    connected: np.ndarray  # bool [inputs, outputs]
    # Float [inputs, outputs]: what a constant input of 1 adds to each output
    # before the activation; None where only zeros are known to add a constant.
    sums: np.ndarray | None
    why: str  # why constants other than zero stay, where they do
    # The constants of the inputs, one array a call.
    seen: list[np.ndarray] = dataclasses.field(default_factory=list)
    # Those that the layer can take up into its bias.
    absorbable: list[np.ndarray] = dataclasses.field(default_factory=list)

    def absorbed(self) -> np.ndarray:
        """Returns constants that are the same in all calls, else NaN."""
        return common(self.absorbable)

    def refused(self) -> Channels:
        """Returns constant channels that the layer cannot do without."""
        constant = ~np.isnan(common(self.seen)) & np.isnan(self.absorbed())
        return self.inputs[constant & self.connected.any(axis=1)]


@dataclasses.dataclass
class LayerPlan:
    """The changes of one layer as the channels around it are cut."""

    layer: Any  # the layer
    path: str  # of the layer in the model
    inputs: Channels  # the features of its input
    outputs: Channels  # the features of its output
    # The channels along the axes of each of its weights, by name.
    axes: Mapping[str, Axes]
    resize: Resize  # writes sizes into the layer's configuration
    makes_units: bool  # whether the outputs are channels of its own
    # How it computes its outputs, for layers with units.
    connections: Connections | None

    def addition(self, needed: np.ndarray) -> np.ndarray | None:
        """Sums what cut constants add to the bias, float64 [units left].

        None if that is nothing.
        """
        connections = self.connections
        if connections is None or connections.sums is None:
            return None

        absorbed = np.where(
            needed[connections.inputs], np.nan, connections.absorbed()
        )
        constants = np.nan_to_num(absorbed, nan=0.0)
        rows = np.flatnonzero(constants)
        # Of the few rows only: the kernel may be large.
        sums = connections.sums[rows][:, needed[connections.outputs]]
        added = constants[rows] @ sums.astype(np.float64)
        return added if added.any() else None


class ChannelAnalysis:
    """The plans of all layers and the graph of their channels."""

    def __init__(self, flavor: Flavor) -> None:
        self.flavor = flavor
        self.graph = ChannelGraph()
        self.of: dict[int, LayerPlan] = {}  # by the layer's id
        self.reasons: list[tuple[Channels, str]] = []  # why they are kept
        self.barriers: dict[int, str] = {}  # by the layer's id

    def weights(self, layer: Any) -> dict[str, Any]:
        """Returns the variables of a layer and those in it, by their names.

        Raises:
            Untrackable: if two have the same name.
        """
        named: dict[str, Any] = {}
        for variable in weights_below(self.flavor, layer):
            name = last_name(variable)
            if name in named:
                raise Untrackable(f"two weights are named {name!r}")
            named[name] = variable
        return named

    def values(self, layer: Any) -> dict[str, np.ndarray]:
        """Returns the values of `weights`, half precision as float32."""
        values = {
            name: self.flavor.raw(variable).numpy()
            for name, variable in self.weights(layer).items()
        }
        return {
            name: value.astype(np.float32)
            if value.dtype.itemsize < 4
            else value
            for name, value in values.items()
        }

    def value(self, layer: Any, name: str) -> np.ndarray:
        """Returns the value of one of `weights`, as in `values`.

        Raises:
            Untrackable: if the layer has none of this name.
        """
        values = self.values(layer)
        if name not in values:
            raise Untrackable(f"weights of no known meaning: {sorted(values)}")
        return values[name]

    def add(
        self,
        call: Call,
        inputs: Channels,
        outputs: Channels,
        axes: Mapping[str, Axes],
        resize: Resize = lambda config, left: None,
        makes_units: bool = False,
        connections: Connections | None = None,
    ) -> LayerPlan:
        """Plans a layer, or ties a further call of it to the first.

        The arguments are the fields of `LayerPlan`, which is returned: that of
        the layer's first call.

        Raises:
            Untrackable: if the layer has weights that `axes` does not name.
        """
        first = self.of.get(id(call.layer))
        if first is not None:
            self.graph.tie(inputs, first.inputs)
            return first

        unknown = set(self.weights(call.layer)) ^ set(axes)
        if unknown:
            raise Untrackable(f"weights of no known meaning: {sorted(unknown)}")

        plan = self.of[id(call.layer)] = LayerPlan(
            call.layer,
            call.path,
            inputs,
            outputs,
            axes,
            resize,
            makes_units,
            connections,
        )
        if makes_units:
            self.graph.keep_one_of(outputs)
        return plan

    def keep(self, channels: Channels, reason: str) -> None:
        """Keeps channels, for a reason that the report gives."""
        self.graph.keep(channels)
        self.reasons.append((channels, reason))

    def stop(self, call: Call, reason: str) -> None:
        """Keeps all channels that a call reads, and those of the layer."""
        kind = type(call.layer).__name__
        text = f"read by {call.path} ({kind}): {reason}"
        for features in call.inputs:
            if features is not None:
                self.keep(features.channels, text)
        self.barriers[id(call.layer)] = reason
        for layer in layers_below(self.flavor, call.layer):
            plan = self.of.get(id(layer))
            if plan is not None:
                self.keep(plan.inputs, text)
                self.keep(plan.outputs, text)

    @functools.cached_property
    def needed(self) -> np.ndarray:
        """The channels that are needed once all is planned: bool [channels]."""
        for plan in self.of.values():
            connections = plan.connections
            if connections is None:
                continue
            stays = np.isnan(connections.absorbed())[:, None]
            self.graph.read(
                connections.inputs,
                connections.outputs,
                connections.connected & stays,
            )
            why = f"constant, but {plan.path} {connections.why}"
            self.reasons.append((connections.refused(), why))
        return self.graph.needed()

    def why_kept(self, layer: Any) -> tuple[str, ...]:
        """Lists the reasons for which a layer keeps units, each once."""
        plan = self.of.get(id(layer))
        if plan is None:
            reason = self.barriers.get(id(layer))
            return () if reason is None else (reason,)

        if not plan.makes_units:
            return ()

        roots = self.graph.roots()
        own = set(roots[plan.outputs[self.needed[plan.outputs]]])
        return tuple(
            dict.fromkeys(
                reason
                for channels, reason in self.reasons
                if not own.isdisjoint(roots[channels])
            )
        )


def layers_below(flavor: Flavor, layer: Any) -> list[Any]:
    """Lists a layer and the layers in it; none for an operation of Keras 3."""
    if not hasattr(layer, "weights"):
        return []
    return [node.layer for node in tree.walk(flavor, layer)]


def weights_below(flavor: Flavor, layer: Any) -> list[Any]:
    """Lists the variables of a layer and the layers in it, without masks."""
    return [
        variable
        for below in layers_below(flavor, layer)
        for variable in flavor.own_weights(below)
    ]


def last_name(variable: Any) -> str:
    """Returns the name that the layer gave a weight."""
    return variable.name.rpartition("/")[2].partition(":")[0]
