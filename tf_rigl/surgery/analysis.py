"""Follows the channels of a model from layer to layer."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.surgery import channel_rules
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Operand
from tf_rigl.surgery.features import Shape
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.features import varying

Known = Features | None


def analyze(
    flavor: flavors.Flavor, model: Any, exact: bool = True
) -> ChannelAnalysis:
    """Plans the changes of all layers of a functional or sequential model.

    `exact` says whether outputs must stay the same; see `ChannelAnalysis`.
    """
    plans = ChannelAnalysis(flavor, exact)
    network = network_of(model)
    inputs = [
        _kept(plans, tuple(tensor.shape), "model input")
        for tensor in tf.nest.flatten(network.inputs)
    ]
    for features in _follow(plans, network, inputs, ()):
        if features is not None:
            plans.keep(features.channels, "model output")
    return plans


def network_of(model: Any) -> Any:
    """Returns the object that holds the nodes of a built model."""
    return getattr(model, "_functional", None) or model


def nodes_of(network: Any) -> Iterator[Any]:
    """Yields the nodes of a network, inputs first; none if it has no graph."""
    by_depth = getattr(network, "_nodes_by_depth", {})
    for depth in sorted(by_depth, reverse=True):
        yield from by_depth[depth]


def layer_of(node: Any) -> Any:
    """Returns the layer or Keras 3 operation that a node calls."""
    return getattr(node, "operation", None) or node.layer


def _follow(
    plans: ChannelAnalysis,
    network: Any,
    inputs: list[Known],
    path: tuple[str, ...],
) -> list[Known]:
    """Follows features through a network, from its inputs to its outputs."""
    tensors = tf.nest.flatten(network.inputs)
    known: dict[int, Known] = {
        id(tensor): features
        for tensor, features in zip(tensors, inputs, strict=True)
    }

    for node in nodes_of(network):
        outputs = tf.nest.flatten(node.output_tensors)
        if node.is_input:
            # The inputs of an inner model may shrink; those of the whole model
            # belong to the user's data.
            if path:
                _apply(plans, node, [known[id(outputs[0])]], path)
            continue

        arguments = [known[id(tensor)] for tensor in _inputs_of(node)]
        results = _apply(plans, node, arguments, path)
        known.update(
            (id(tensor), features)
            for tensor, features in zip(outputs, results, strict=True)
        )

    return [known[id(one)] for one in tf.nest.flatten(network.outputs)]


def _apply(
    plans: ChannelAnalysis,
    node: Any,
    inputs: list[Known],
    path: tuple[str, ...],
) -> list[Known]:
    """Follows features through one call; keeps all if it cannot be followed."""
    layer = layer_of(node)
    path = (*path, layer.name)
    outputs = tf.nest.flatten(node.output_tensors)
    tensors = outputs if node.is_input else _inputs_of(node)

    call = Call(
        layer,
        "/".join(path),
        tuple(inputs),
        tuple(tuple(tensor.shape) for tensor in tensors),
        tuple(tuple(tensor.shape) for tensor in outputs),
        _others_of(node, tensors),
        _placed(node, tensors),
    )

    try:
        _check(plans, node, call)
        if flavors.is_container(layer):
            return _follow(plans, network_of(layer), inputs, path)
        rule = channel_rules.find_rule(layer)
        if rule is None:
            raise Untrackable("its channels are not known")
        result = rule(plans, call)
        return list(result) if isinstance(result, list) else [result]
    except Untrackable as untrackable:
        plans.stop(call, str(untrackable))
        reason = f"made by {call.path} ({type(layer).__name__}): {untrackable}"
        return [_kept(plans, shape, reason) for shape in call.output_shapes]


def _check(plans: ChannelAnalysis, node: Any, call: Call) -> None:
    """Raises an Untrackable if a call does more than apply a layer."""
    if id(call.layer) in plans.barriers:
        raise Untrackable(plans.barriers[id(call.layer)])

    options = [
        one for one in call.others if one is not None and one is not False
    ]
    if options and not channel_rules.is_operation(call.layer):
        raise Untrackable(f"called with {options}")

    if flavors.is_container(call.layer):
        network = network_of(call.layer)
        if not hasattr(network, "_nodes_by_depth"):
            raise Untrackable("its layers are not known")

        # Keras matches inputs by name here and may leave some out.
        named = any(isinstance(one, dict) for one in _arguments_of(node)[0])
        if named or len(tf.nest.flatten(network.inputs)) != len(call.inputs):
            raise Untrackable("called on inputs by name")


def _inputs_of(node: Any) -> list[Any]:
    """Lists the symbolic tensors that a node is called on."""
    keras2 = getattr(node, "keras_inputs", None)
    return list(node.input_tensors) if keras2 is None else list(keras2)


def _others_of(node: Any, tensors: list[Any]) -> tuple[Any, ...]:
    """Lists the arguments of a call other than symbolic tensors."""
    if node.is_input:
        return ()
    symbolic = {id(tensor) for tensor in tensors}
    return tuple(
        value
        for value in tf.nest.flatten(_arguments_of(node))
        if id(value) not in symbolic
    )


def _placed(node: Any, tensors: list[Any]) -> tuple[Any, Any]:
    """Returns the arguments of a call with operands in the place of tensors."""
    if node.is_input:
        return (), {}
    places: dict[int, Operand] = {}
    for index, tensor in enumerate(tensors):
        places.setdefault(id(tensor), Operand(index))
    placed: tuple[Any, Any] = tf.nest.map_structure(
        lambda value: places.get(id(value), value), _arguments_of(node)
    )
    return placed


def _arguments_of(node: Any) -> tuple[Any, Any]:
    """Returns the positional and the keyword arguments of a call."""
    arguments = getattr(node, "arguments", None)
    if arguments is None:
        return node.call_args, node.call_kwargs
    return arguments.args, arguments.kwargs


def _kept(plans: ChannelAnalysis, shape: Shape, reason: str) -> Known:
    """Adds and keeps channels for a tensor's last axis, if it has a size."""
    if len(shape) < 2 or shape[-1] is None:
        return None
    channels = plans.graph.add(shape[-1])
    plans.keep(channels, reason)
    return varying(channels)
