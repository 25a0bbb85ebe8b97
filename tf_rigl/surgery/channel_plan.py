"""The plans by which the layers of a model shrink."""

import collections
import dataclasses
import functools
import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend.flavor import Flavor
from tf_rigl.core.channel_graph import ChannelGraph
from tf_rigl.core.channel_graph import Channels
from tf_rigl.masking import tree
from tf_rigl.surgery import bias_axes
from tf_rigl.surgery.branches import Branches
from tf_rigl.surgery.features import LAST
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import common

CONSTANT = "constant, but"  # reasons for which a constant is kept

# The channels along each axis of a weight that may shrink.
Axes = Mapping[int, Channels]
# Counts how many of the given channels are left.
Count = Callable[[Channels], int]
Resize = Callable[[dict[str, Any], Count], None]
# Writes new sizes into the configurations of the calls of a function.
ResizeCall = Callable[[list[Any], Count], None]
ConfigOf = Callable[[dict[str, Any]], dict[str, Any]]


@dataclasses.dataclass
class Connections:
    """The inputs from which a layer computes each of its outputs."""

    inputs: Channels  # the channels that the layer reads
    outputs: Channels  # the channels that the layer writes
    connected: np.ndarray  # bool [inputs, outputs]
    # Float [inputs, outputs]: the amount that a constant input of 1 adds to
    # each output before the activation. None if only zeros add a constant.
    sums: np.ndarray | None
    why: str  # why non-zero constants cannot be folded into the bias, "" if not
    # The constants of the inputs, [inputs] for each call, NaN if not constant.
    seen: list[np.ndarray] = dataclasses.field(default_factory=list)
    # The same for the constants that can be folded into the bias.
    absorbable: list[np.ndarray] = dataclasses.field(default_factory=list)

    def absorbed(self) -> np.ndarray:
        """Returns the constants [inputs] that fit the bias in all calls."""
        return common(self.absorbable)

    def refused(self) -> Channels:
        """Returns the constant input channels that must stay nevertheless."""
        constant = ~np.isnan(common(self.seen)) & np.isnan(self.absorbed())
        rows = np.flatnonzero(constant)
        return self.inputs[rows[self.connected[rows].any(axis=1)]]


@dataclasses.dataclass
class LayerPlan:
    """The changes to one layer when channels around it are cut."""

    layer: Any
    path: str  # the layer's path in the model
    inputs: Channels  # the channels of its input features
    outputs: Channels  # the channels of its output features
    axes: Mapping[str, Axes]  # for each of its weights, by name
    resize: Resize  # writes the new sizes into the layer's configuration
    makes_units: bool  # whether the layer itself creates its output channels
    connections: Connections | None  # None for layers without units
    axis: int = LAST  # of the features in the tensors that it reads
    # Whether the outputs have channels of their own, one for each input, so
    # that some inputs can be left out in front of the layer.
    selects: bool = False
    # Channels within the layer, such as the heads of attention.
    inner: Channels = dataclasses.field(
        default_factory=lambda: np.zeros(0, np.int64)
    )
    resize_call: ResizeCall | None = None  # for functions with sizes
    bias_width: int | None = None  # see `bias_axes`
    # Returns what `resize` changes of the layer's configuration, that of the
    # layer inside of a wrapper.
    config_of: Callable[[dict[str, Any]], dict[str, Any]] = lambda config: (
        config
    )

    def selection(self, needed: np.ndarray) -> np.ndarray | None:
        """Returns the positions of the inputs to select, among those left.

        They are int64 [outputs left], or None if all are read.
        """
        if not self.selects:
            return None
        read = needed[self.outputs][needed[self.inputs]]
        return None if read.all() else np.flatnonzero(read)

    def addition(self, needed: np.ndarray) -> np.ndarray | None:
        """Returns the contribution of cut constant inputs to the bias.

        It is float64 [units left], or None if all of it is zero.
        """
        connections = self.connections
        if connections is None or connections.sums is None:
            return None

        absorbed = np.where(
            needed[connections.inputs], np.nan, connections.absorbed()
        )
        constants = np.nan_to_num(absorbed, nan=0.0)
        rows = np.flatnonzero(constants)
        # The kernel may be large, so take only the few rows that matter.
        sums = connections.sums[rows][:, needed[connections.outputs]]
        added = constants[rows] @ sums.astype(np.float64)
        return added if added.any() else None


class ChannelAnalysis:
    """The plans of all layers and the graph of their channels.

    `exact` says whether outputs must stay the same. If not, channels also pass
    through layers that mix them, such as LayerNormalization, which then compute
    something else of fewer channels.

    `select` says whether layers that scale each channel by itself may read
    fewer channels than there are; see `own_outputs`.
    """

    def __init__(
        self, flavor: Flavor, exact: bool = True, select: bool = False
    ) -> None:
        self.flavor = flavor
        self.exact = exact
        self.select = select
        # By their ids, layers that nothing can be put in front of, and those
        # that are called in ways that are not followed.
        self.fixed: set[int] = set()
        self.stopped: set[int] = set()
        self.models: list[Any] = []  # each time that one is followed
        self.branches = Branches()
        # By the layer's id, the plans of layers that go with their branches.
        self.gone: dict[int, LayerPlan] = {}
        self.graph = ChannelGraph()
        self.of: dict[int, LayerPlan] = {}  # by the layer's id
        self.reasons: list[tuple[Channels, str]] = []  # why channels are kept
        # Channels that are normalized together, if outputs may change.
        self.mixing: list[tuple[Channels, str]] = []
        # By the layer's id, why a layer cannot be followed.
        self.barriers: dict[int, str] = {}

    def weights(self, layer: Any) -> dict[str, Any]:
        """Returns the weights of a layer and its sublayers, by name."""
        return named_weights(self.flavor, layer)

    def values(self, layer: Any) -> dict[str, np.ndarray]:
        """Returns the values of `weights`; 16-bit floats become float32.

        They are not copied, so nothing may be written to them.
        """
        values = {
            name: read(self.flavor, variable)
            for name, variable in self.weights(layer).items()
        }
        return {
            name: value.astype(np.float32)
            if value.dtype.itemsize < 4
            else value
            for name, value in values.items()
        }

    def value(self, layer: Any, name: str) -> np.ndarray:
        """Returns one of `values`.

        Raises:
            Untrackable: if the layer has no weight of this name.
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
        inner: Channels | None = None,
        selects: bool = False,
    ) -> LayerPlan:
        """Adds the plan of a layer, or ties a further call to the first one.

        Takes the fields of `LayerPlan` and returns the plan of the layer's
        first call.

        Raises:
            Untrackable: if `axes` does not name exactly the layer's weights.
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
            call.axis,
            selects,
        )
        plan.bias_width = bias_axes.width_of(self.flavor, call)
        if inner is not None:
            plan.inner = inner
        if makes_units:
            self.graph.keep_one_of(outputs)
        elif selects:
            self.graph.read_each(inputs, outputs)
            self.graph.keep_one_of(outputs, near=inputs)
        return plan

    def own_outputs(self, call: Call, inputs: Channels) -> Channels:
        """Returns the outputs of a layer that scales each channel by itself.

        They are channels of their own if a selection may be put in front of the
        layer, and otherwise its inputs.
        """
        first = self.of.get(id(call.layer))
        if first is not None:
            return first.outputs if first.selects else inputs
        if not self.select or id(call.layer) in self.fixed:
            return inputs
        return self.graph.add(len(inputs))

    def keep(self, channels: Channels, reason: str) -> None:
        """Keeps channels; the report shows the reason."""
        self.graph.keep(channels)
        self.reasons.append((channels, reason))

    def stop(self, call: Call, reason: str) -> None:
        """Keeps all channels that a call reads or its layer has planned."""
        kind = type(call.layer).__name__
        text = f"read by {call.path} ({kind}): {reason}"
        for features in call.inputs:
            if features is not None:
                self.keep(features.channels, text)
        self.barriers[id(call.layer)] = reason
        for layer in layers_below(self.flavor, call.layer):
            self.stopped.add(id(layer))
            plan = self.of.get(id(layer))
            if plan is not None:
                self.keep(plan.inputs, text)
                self.keep(plan.outputs, text)
                self.keep(plan.inner, text)

    @functools.cached_property
    def needed(self) -> np.ndarray:
        """The needed channels, bool [channels], once all layers are planned."""
        # A wrapper has the connections of the layer within.
        distinct = {id(plan.connections): plan for plan in self.of.values()}
        for plan in distinct.values():
            connections = plan.connections
            if connections is None:
                continue
            # An input that does not fit the bias is needed by its readers.
            self.graph.read(
                connections.inputs,
                connections.outputs,
                connections.connected,
                np.isnan(connections.absorbed()),
            )
            why = f"{CONSTANT} {plan.path} {connections.why}"
            self.reasons.append((connections.refused(), why))
        needed = self.graph.needed()
        while more := list(bias_axes.must_stay(self, needed)):
            for channels, why in more:
                self.keep(channels, why)
            needed = self.graph.needed()
        return needed

    def why_kept(self, layer: Any) -> tuple[str, ...]:
        """Lists the distinct reasons for which a layer keeps units."""
        plan = self.of.get(id(layer))
        if plan is None:
            reason = self.barriers.get(id(layer))
            return () if reason is None else (reason,)

        if not plan.makes_units:
            return ()

        roots = self.graph.roots()
        own = np.zeros(len(roots), bool)
        own[roots[plan.outputs[self.needed[plan.outputs]]]] = True
        for other in self.of.values():
            if other.selects:
                # Its channels are kept for the sake of these.
                read = own[roots[other.inputs]] & self.needed[other.outputs]
                own[roots[other.outputs[read]]] = True
        return tuple(
            dict.fromkeys(
                reason
                for channels, reason in self.reasons
                if own[roots[channels]].any()
            )
        )


def layers_below(flavor: Flavor, layer: Any) -> list[Any]:
    """Lists a layer and its sublayers; none for an operation of Keras 3."""
    if not hasattr(layer, "weights"):
        return []
    return [node.layer for node in tree.walk(flavor, layer)]


def weights_below(flavor: Flavor, layer: Any) -> list[Any]:
    """Lists the weights of a layer and its sublayers, without masks."""
    return list(named_weights(flavor, layer).values())


def named_weights(flavor: Flavor, layer: Any) -> dict[str, Any]:
    """Returns the weights of a layer and its sublayers, by name.

    The name is the one that the layer gave the weight, behind the key of the
    sublayer, which is the same in every model, where two weights have the same.
    Where one layer gave a name twice, the second is so called again.
    """
    if not hasattr(layer, "weights"):
        return {}
    # By identity, since SpectralNormalization has the kernel of its layer, too.
    found: dict[int, tuple[tuple[str, ...], str, Any]] = {}
    for node in tree.walk(flavor, layer):
        for variable in flavor.own_weights(node.layer):
            name = last_name(variable)
            if re.fullmatch(r"variable(_\d+)?", name):
                # Numbered through all models by Keras 3.
                name = f"unnamed_{len(found)}"
            found.setdefault(id(variable), (node.key, name, variable))

    times = collections.Counter(name for _, name, _ in found.values())
    named: dict[str, Any] = {}
    for path, name, variable in found.values():
        key = name if times[name] == 1 else "/".join((*path, name))
        while key in named:
            key = f"{key}_again"
        named[key] = variable
    return named


def read(flavor: Flavor, variable: Any) -> np.ndarray:
    """Returns the values of a variable without a copy, only to be read."""
    return np.asarray(tf.convert_to_tensor(flavor.raw(variable)))


def last_name(variable: Any) -> str:
    """Returns the name that the layer gave a weight."""
    return variable.name.rpartition("/")[2].partition(":")[0]
