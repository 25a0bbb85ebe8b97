"""Follows the graph of layers of a model and makes steps of their calls."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from tf_rigl.backend import call_signature
from tf_rigl.backend import flavor as flavors
from tf_rigl.export.plan import elementwise
from tf_rigl.export.plan import masks
from tf_rigl.export.plan import own_code
from tf_rigl.export.plan import rules
from tf_rigl.export.plan import sequences
from tf_rigl.export.plan.calls import MOST_DIMENSIONS
from tf_rigl.export.plan.calls import Call
from tf_rigl.export.plan.calls import Unsupported
from tf_rigl.export.plan.steps import UNKNOWN
from tf_rigl.export.plan.steps import Network
from tf_rigl.export.plan.steps import Step
from tf_rigl.surgery import layer_graph
from tf_rigl.surgery.channel_rules import is_operation
from tf_rigl.surgery.features import Operand

# None for what is made by a layer whose shapes are not known.
_Known = int | None


@dataclasses.dataclass(frozen=True)
class LayerCall:
    """A call of a layer: the steps that it became, or why it has none."""

    path: str
    layer: str  # the name of its class
    steps: tuple[Step, ...]
    problem: str = ""
    fix: str = ""


class Walk:
    """A model as a network, and what became of each call of a layer."""

    def __init__(self, flavor: flavors.Flavor) -> None:
        self.network = Network()
        self.calls: list[LayerCall] = []
        self.flavor = flavor
        # Values whose positions a mask marks, which plans do not have.
        self._masked: set[_Known] = set()

    def model(self, model: Any, call: call_signature.CallSignature) -> None:
        """Follows a whole model, called as a signature says.

        Raises:
            ValueError: if the size of an input is open.
        """
        leaves = call_signature.named_leaves(call)
        _check_sizes(model, leaves)
        network = self.network
        network.inputs = [
            network.value(one.shape[1:]) for one in leaves.values()
        ]
        network.input_names = tuple(leaves)

        if has_graph(model):
            values = list(network.inputs)
            inner = layer_graph.network_of(model)
            places = _places(inner, list(leaves))
            structure = _output_structure(inner)
            made = self._follow(inner, [values[place] for place in places], ())
        else:
            given = [
                self.flavor.keras.Input(one.shape[1:], dtype=one.dtype)
                for one in leaves.values()
            ]
            args, kwargs = call_signature.pack_arguments(call, given)
            structure, made = self._expanded(
                model, given, args, kwargs, list(network.inputs), ()
            )
        network.outputs = [one for one in made if one is not None]
        network.output_names = _output_names(structure, len(made))

    def _follow(
        self, network: Any, inputs: list[_Known], path: tuple[str, ...]
    ) -> list[_Known]:
        """Follows values through the nodes of a model, inputs to outputs."""
        tensors = tf.nest.flatten(network.inputs)
        known: dict[int, _Known] = {
            id(tensor): value
            for tensor, value in zip(tensors, inputs, strict=True)
        }
        for node in layer_graph.nodes_of(network):
            if node.is_input:
                continue
            values = [known.get(id(one)) for one in layer_graph.inputs_of(node)]
            outputs = tf.nest.flatten(node.output_tensors)
            made = self._apply(node, values, outputs, path)
            known.update(
                (id(tensor), value)
                for tensor, value in zip(outputs, made, strict=True)
            )
        return [known.get(id(one)) for one in tf.nest.flatten(network.outputs)]

    def _apply(
        self,
        node: Any,
        values: list[_Known],
        outputs: list[Any],
        path: tuple[str, ...],
    ) -> list[_Known]:
        """Follows values through one call."""
        layer = layer_graph.layer_of(node)
        path = (*path, layer.name)
        kind = flavors.plain_class(layer).__name__
        before, calls = len(self.network.steps), len(self.calls)
        try:
            if None in values:
                raise Unsupported("sizes of what it reads are not known")
            read = [value for value in values if value is not None]
            tensors = layer_graph.inputs_of(node)
            call = Call(
                self.network,
                self.flavor,
                layer,
                "/".join(path),
                tuple(read),
                layer_graph.placed_arguments(node, tensors),
                any(map(masks.has_mask, tensors))
                or not self._masked.isdisjoint(read),
                _batch_of(tensors),
            )
            made = self._made(call, path)
            if len(made) != len(outputs):
                raise Unsupported(f"it has {len(outputs)} outputs")
            if masks.passes_mask(call):
                self._masked.update(made)
        except Unsupported as unsupported:
            del self.network.steps[before:]
            del self.calls[calls:]
            self.calls.append(
                LayerCall(
                    "/".join(path),
                    kind,
                    (),
                    unsupported.problem,
                    unsupported.fix,
                )
            )
            made = [
                self._unknown("/".join(path), values, one) for one in outputs
            ]
        self._masked.update(
            value
            for value, output in zip(made, outputs, strict=True)
            if masks.has_mask(output)
        )

        if calls == len(self.calls):
            steps = tuple(self.network.steps[before:])
            self.calls.append(LayerCall("/".join(path), kind, steps))
        return made

    def _made(self, call: Call, path: tuple[str, ...]) -> list[_Known]:
        """Returns the values that a call makes, after adding its steps."""
        layer = call.layer
        if not is_operation(layer):
            _check_options(call)
        if has_graph(layer):
            network = layer_graph.network_of(layer)
            tensors = tf.nest.flatten(network.inputs)
            named = any(isinstance(one, dict) for one in call.arguments[0])
            if named or len(tensors) != len(call.values):
                raise Unsupported(
                    "it is called on inputs by name",
                    "Call it on a list of all its inputs.",
                )
            return self._follow(network, list(call.values), path)

        masks.check(call)
        rule = rules.find_rule(layer)
        if rule is elementwise.identity:
            return [call.only()]
        if own_code.is_own(layer):
            return self._inner(call, path)
        folded = sequences.folded(call)
        if folded is not None:
            return [folded]
        if rule is None:
            raise Unsupported("plans do not have it")
        made = rule(call)
        return list(made) if isinstance(made, tuple) else [made]

    def _inner(self, call: Call, path: tuple[str, ...]) -> list[_Known]:
        """Follows what the code of a layer of one's own calls."""
        # Some code makes arrays as large as the batch.
        try:
            return self._inner_of_batch(call, path, None)
        except Unsupported as unsupported:
            try:
                return self._inner_of_batch(call, path, 1)
            except Unsupported:
                raise unsupported from None

    def _inner_of_batch(
        self, call: Call, path: tuple[str, ...], batch: int | None
    ) -> list[_Known]:
        """Follows the code of a layer that is called on a batch of a size."""
        given = [
            self.flavor.keras.Input(shape, batch_size=batch)
            for shape in call.shapes
        ]

        def put(leaf: Any) -> Any:
            return given[leaf.index] if isinstance(leaf, Operand) else leaf

        args, kwargs = tf.nest.map_structure(put, call.arguments)
        _, made = self._expanded(
            call.layer, given, args, kwargs, list(call.values), path
        )
        return made

    def _expanded(
        self,
        layer: Any,
        given: list[Any],
        args: Any,
        kwargs: Any,
        values: list[_Known],
        path: tuple[str, ...],
    ) -> tuple[Any, list[_Known]]:
        """Calls the code of a layer on symbolic tensors and follows it.

        Returns:
            The structure of symbolic tensors that it returns, and their values.
        """
        with (
            own_code.nodes_forgotten(self.flavor, layer),
            own_code.quiet_tensorflow(),
        ):
            try:
                outputs = own_code.code_of(layer)(*args, **kwargs)
                flat = tf.nest.flatten(outputs)
                network = self.flavor.keras.Model(given, flat)
            except Exception as error:
                # Any code can be in there, and fail in any way.
                reason = str(error).strip().partition("\n")[0]
                raise Unsupported(
                    "its code cannot be called on symbolic tensors "
                    f"({type(error).__name__}: {reason})",
                    "Make a functional model of its layers, "
                    "`keras.Model(inputs, outputs)`, or write `call` with "
                    "layers and functions that Keras can follow.",
                ) from error
            return outputs, self._follow(network, values, path)

    def _unknown(self, path: str, values: list[_Known], output: Any) -> _Known:
        """Adds a step that stands for a call that plans do not have."""
        shape = tuple(output.shape)[1:]
        if None in shape:
            return None
        read = [value for value in values if value is not None]
        return self.network.add(UNKNOWN, path, read, shape).output


def _batch_of(tensors: list[Any]) -> int | None:
    """Returns the number of examples of symbolic tensors, if it is known."""
    sizes = [one.shape[0] for one in tensors if len(one.shape)]
    return sizes[0] if sizes else None


def has_graph(layer: Any) -> bool:
    """Returns whether a layer is a model that calls what its nodes call."""
    network = layer_graph.network_of(layer)
    if not hasattr(network, "_nodes_by_depth"):
        return False
    cls: Any = flavors.plain_class(layer)
    return flavors.is_of_keras(cls.call)


def _check_options(call: Call) -> None:
    """Raises an Unsupported if a call does more than apply a layer."""
    args, kwargs = call.arguments
    name = flavors.plain_class(call.layer).__name__
    is_augmentation = name.startswith("Random")
    others = {
        key: one
        for key, one in kwargs.items()
        # Keras 3 adds it to calls of these by itself, at inference False.
        if not (key == "training" and is_augmentation)
        and key not in rules.OPTIONS.get(name, ())
    }
    options = [
        one
        for one in tf.nest.flatten((args, others))
        if one is not None and one is not False and not isinstance(one, Operand)
    ]
    if options:
        raise Unsupported(
            f"it is called with {options}", "Call it on tensors alone."
        )


def _check_sizes(model: Any, leaves: Mapping[str, tf.TensorSpec]) -> None:
    for name, leaf in leaves.items():
        shape = leaf.shape
        if not shape.rank or not shape[1:].is_fully_defined():
            raise ValueError(
                "A plan is for inputs of one size, of any batch. Received: "
                f"model={model.name!r}, whose input {name!r} has the shape "
                f"{shape}. Pass one, such as inputs=(None, 224, 224, 3)."
            )
        if not 1 < shape.rank <= MOST_DIMENSIONS + 1:
            raise ValueError(
                f"Inputs of a plan have one to {MOST_DIMENSIONS} dimensions "
                f"besides the batch. Received: model={model.name!r}, whose "
                f"input {name!r} has the shape {shape}."
            )


def _places(network: Any, names: list[str]) -> list[int]:
    """Returns which of the named inputs each input of a model is."""
    own = [one.name for one in tf.nest.flatten(network.inputs)]
    if sorted(own) == sorted(names):
        return [names.index(one) for one in own]
    return list(range(len(own)))


def _output_structure(network: Any) -> Any:
    for name in ("_outputs_struct", "_nested_outputs"):
        if hasattr(network, name):
            return getattr(network, name)
    return network.outputs


def _output_names(structure: Any, count: int) -> tuple[str, ...]:
    """Returns the names that a SavedModel's outputs have, too."""
    if isinstance(structure, Mapping) and len(structure) == count:
        return tuple(sorted(structure))
    return tuple(f"output_{number}" for number in range(count))
