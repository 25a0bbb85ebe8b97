"""Branches that are constant: a sum is the same without their layers.

A residual branch that slimming has killed adds the same to all inputs. The sum
then passes on its other operand, and nothing reads the branch any more.
"""

import dataclasses
from collections.abc import Collection
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.core.channel_graph import Channels
from tf_rigl.surgery import layer_graph
from tf_rigl.surgery.features import LAST
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import common

_SUMS = ("Add", "__operators__.add", "math.add")


class Cut(NamedTuple):
    """What is left of a sum."""

    operands: Sequence[int]  # the numbers of those that stay
    # Float [features], what the others add; None if 0.
    constants: np.ndarray | None


@dataclasses.dataclass
class Branches:
    """The sums of a model and what becomes of them.

    Attributes:
        operands: the features of the operands, for each time that a sum is
            followed, by the sum's node.
        cuts: what is left of those that are cut, by the sum's node.
        gone: nodes that nothing reads any more.
        channels: the features to which constants are added instead, by the
            sum's node.
    """

    operands: dict[int, list[Sequence[Features | None]]] = dataclasses.field(
        default_factory=dict
    )
    cuts: dict[int, Cut] = dataclasses.field(default_factory=dict)
    gone: set[int] = dataclasses.field(default_factory=set)
    channels: dict[int, Channels] = dataclasses.field(default_factory=dict)

    def note(self, node: Any, inputs: Sequence[Features | None]) -> None:
        """Notes what the operands of a sum are, each time it is followed."""
        self.operands.setdefault(id(node), []).append(inputs)

    def find(self, flavor: flavors.Flavor, models: Sequence[Any]) -> bool:
        """Decides which sums of models are cut; returns whether any are."""
        for model in models:
            if not layer_graph.can_be_edited(flavor, model):
                continue
            network = layer_graph.network_of(model)
            nodes = list(layer_graph.nodes_of(network))
            # Losses and metrics, which tf_keras adds as layers of no output.
            ends = self._unread(network, nodes)
            for node in nodes:
                cut = self._cut_of(node, nodes)
                if cut is not None:
                    self.cuts[id(node)] = cut
            self.gone |= self._unread(network, nodes, ends)
        return bool(self.cuts)

    def passes_on(self, node: Any) -> bool:
        """Returns whether a node is a sum of which one operand is left."""
        cut = self.cuts.get(id(node))
        return cut is not None and len(cut.operands) == 1

    def passed_on(
        self, node: Any, inputs: Sequence[Features | None]
    ) -> Features | None:
        """Returns the features of a sum of which one operand is left."""
        cut = self.cuts[id(node)]
        operand = inputs[cut.operands[0]]
        if operand is None or cut.constants is None:
            return operand
        self.channels[id(node)] = operand.channels
        return operand._replace(constants=operand.constants + cut.constants)

    def reduced(self, node: Any, call: Call) -> Call:
        """Returns the call of a node without the operands that are cut."""
        cut = self.cuts.get(id(node))
        if cut is None:
            return call
        return dataclasses.replace(
            call,
            inputs=tuple(call.inputs[at] for at in cut.operands),
            input_shapes=tuple(call.input_shapes[at] for at in cut.operands),
        )

    def _cut_of(self, node: Any, nodes: Sequence[Any]) -> Cut | None:
        """Returns what is left of a node, None if it stays as it is."""
        layer = layer_graph.layer_of(node)
        calls = self.operands.get(id(node))
        if not calls or not is_sum(layer) or _num_calls(layer, nodes) != 1:
            return None

        (output,) = tf.nest.flatten(node.output_tensors)
        tensors = layer_graph.inputs_of(node)
        if len(tensors) < 2:
            # A tensor and a number have no operand to leave out.
            return None
        like = [
            one.shape == output.shape and one.dtype == output.dtype
            for one in tensors
        ]
        operands = list(zip(*calls, strict=True))
        added = [common(list(map(_constants_last, one))) for one in operands]

        left = [at for at, one in enumerate(added) if one.any()]
        kept = left or [0]
        if len(kept) < len(added) and any(like[at] for at in kept):
            return Cut(kept, None)

        # A list in a configuration has no dtype but that of default.
        if tf.as_dtype(output.dtype) != tf.float32:
            return None
        fixed = [
            len(one) == output.shape[-1] and not np.isnan(one).any()
            for one in added
        ]
        kept = [at for at, is_fixed in enumerate(fixed) if not is_fixed]
        if len(kept) != 1 or not like[kept[0]]:
            return None
        if any(one is None or one.axis != LAST for one in operands[kept[0]]):
            # Its channels are not those to which the constants are added.
            return None
        constants = [one for one in added if not np.isnan(one).any()]
        return Cut(kept, np.sum(constants, axis=0))

    def _unread(
        self,
        network: Any,
        nodes: Sequence[Any],
        ends: Collection[int] = (),
    ) -> set[int]:
        """Returns the nodes that reach no output of a network, nor `ends`.

        All calls of a layer count as reached if one is.
        """
        makers = {
            id(tensor): node
            for node in nodes
            for tensor in tf.nest.flatten(node.output_tensors)
        }
        calls: dict[int, list[Any]] = {}
        for node in nodes:
            layer = layer_graph.layer_of(node)
            calls.setdefault(id(layer), []).append(node)

        reached: set[int] = set()
        todo = [makers[id(one)] for one in tf.nest.flatten(network.outputs)]
        todo += [node for node in nodes if id(node) in ends]
        while todo:
            node = todo.pop()
            if id(node) in reached:
                continue
            reached.add(id(node))
            todo += calls[id(layer_graph.layer_of(node))]
            if not node.is_input:
                tensors = layer_graph.inputs_of(node)
                cut = self.cuts.get(id(node))
                kept = range(len(tensors)) if cut is None else cut.operands
                todo += [makers[id(tensors[at])] for at in kept]
        return {
            id(node)
            for node in nodes
            if id(node) not in reached and not node.is_input
        }


def _constants_last(features: Features | None) -> np.ndarray:
    """Returns constants that can be added along the last axis.

    Of channels first, they are a zero if all are zero.
    """
    if features is not None and features.axis == LAST:
        return features.constants
    is_zero = features is not None and not features.constants.any()
    return np.full(1, 0.0 if is_zero else np.nan)


def is_sum(layer: Any) -> bool:
    """Returns whether a layer or operation of Keras adds its inputs."""
    cls = flavors.plain_class(layer)
    if not flavors.is_of_keras(cls):
        return False
    return getattr(layer, "symbol", cls.__name__) in _SUMS


def _num_calls(layer: Any, nodes: Sequence[Any]) -> int:
    return sum(layer_graph.layer_of(node) is layer for node in nodes)
