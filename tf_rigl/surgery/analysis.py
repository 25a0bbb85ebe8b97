"""Follows the channels of a model from layer to layer."""

from typing import Any

import tensorflow as tf

from tf_rigl.backend import flavor as flavors
from tf_rigl.masking import tree
from tf_rigl.surgery import branches
from tf_rigl.surgery import channel_rules
from tf_rigl.surgery import layouts
from tf_rigl.surgery.channel_plan import ChannelAnalysis
from tf_rigl.surgery.features import Call
from tf_rigl.surgery.features import Features
from tf_rigl.surgery.features import Operand
from tf_rigl.surgery.features import Untrackable
from tf_rigl.surgery.layer_graph import arguments_of
from tf_rigl.surgery.layer_graph import can_be_edited
from tf_rigl.surgery.layer_graph import inputs_of
from tf_rigl.surgery.layer_graph import layer_of as layer_of
from tf_rigl.surgery.layer_graph import mask_of
from tf_rigl.surgery.layer_graph import network_of as network_of
from tf_rigl.surgery.layer_graph import nodes_of as nodes_of
from tf_rigl.surgery.layer_graph import placed_arguments

Known = Features | None


def analyze(
    flavor: flavors.Flavor,
    model: Any,
    exact: bool = True,
    select: bool = False,
    cut_branches: bool = False,
) -> ChannelAnalysis:
    """Plans the changes of all layers of a functional or sequential model.

    `exact` says whether outputs must stay the same and `select` whether some
    layers may read a selection of channels; see `ChannelAnalysis`. With
    `cut_branches`, constant branches of sums go.
    """
    plans = _analyzed(flavor, model, exact, select, branches.Branches())
    if cut_branches:
        # Models are left alone that are called in ways not followed, too.
        models = [one for one in plans.models if id(one) not in plans.stopped]
        if plans.branches.find(flavor, models):
            # Nothing may be kept for the sake of layers that go.
            planned = plans.of
            plans = _analyzed(flavor, model, exact, select, plans.branches)
            plans.gone = {
                key: plan
                for key, plan in planned.items()
                if key not in plans.of
            }
    return plans


def _analyzed(
    flavor: flavors.Flavor,
    model: Any,
    exact: bool,
    select: bool,
    found: branches.Branches,
) -> ChannelAnalysis:
    """Follows the features of a model, which loses the given branches."""
    plans = ChannelAnalysis(flavor, exact, select)
    plans.branches = found
    for node in tree.walk(flavor, model):
        inner = node.layer
        if flavors.is_container(inner) and not can_be_edited(flavor, inner):
            plans.fixed.update(map(id, inner.layers))

    network = network_of(model)
    inputs = [
        layouts.kept(plans, tuple(tensor.shape), "model input")
        for tensor in tf.nest.flatten(network.inputs)
    ]
    for features in _follow(plans, model, inputs, ()):
        if features is not None:
            plans.keep(features.channels, "model output")
    return plans


def _follow(
    plans: ChannelAnalysis,
    model: Any,
    inputs: list[Known],
    path: tuple[str, ...],
) -> list[Known]:
    """Follows features through a model or an inner one, inputs to outputs."""
    plans.models.append(model)
    network = network_of(model)
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
        if id(node) in plans.branches.gone:
            continue

        arguments = [known.get(id(tensor)) for tensor in inputs_of(node)]
        if branches.is_sum(layer_of(node)):
            plans.branches.note(node, arguments)
        if plans.branches.passes_on(node):
            results = [plans.branches.passed_on(node, arguments)]
        else:
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
    tensors = outputs if node.is_input else inputs_of(node)

    others = _others_of(node, tensors)
    if channel_rules.takes_mask(layer):
        tensors, inputs = _without_mask(plans, node, tensors, inputs)
    call = Call(
        layer,
        "/".join(path),
        tuple(inputs),
        tuple(tuple(tensor.shape) for tensor in tensors),
        tuple(tuple(tensor.shape) for tensor in outputs),
        others,
        placed_arguments(node, tensors),
    )
    call = plans.branches.reduced(node, call)

    try:
        _check(plans, node, call)
        if flavors.is_container(layer):
            return _follow(plans, layer, inputs, path)
        rule = channel_rules.find_rule(layer)
        if rule is None:
            raise Untrackable("its channels are not known")
        return list(layouts.follow(plans, call, rule))
    except Untrackable as untrackable:
        plans.stop(call, str(untrackable))
        reason = f"made by {call.path} ({type(layer).__name__}): {untrackable}"
        return [
            layouts.kept(plans, shape, reason) for shape in call.output_shapes
        ]


def _without_mask(
    plans: ChannelAnalysis, node: Any, tensors: list[Any], inputs: list[Known]
) -> tuple[list[Any], list[Known]]:
    """Leaves a mask out of what a call reads, and keeps all of it."""
    mask, read = mask_of(node), []
    for tensor, features in zip(tensors, inputs, strict=True):
        if tensor is not mask:
            read.append((tensor, features))
        elif features is not None:
            plans.keep(features.channels, f"mask of {layer_of(node).name}")
    return [one for one, _ in read], [features for _, features in read]


def _check(plans: ChannelAnalysis, node: Any, call: Call) -> None:
    """Raises an Untrackable if a call does more than apply a layer."""
    if id(call.layer) in plans.barriers:
        raise Untrackable(plans.barriers[id(call.layer)])

    options = _options_of(call)
    if options and not channel_rules.is_operation(call.layer):
        raise Untrackable(f"called with {options}")

    if flavors.is_container(call.layer):
        network = network_of(call.layer)
        if not hasattr(network, "_nodes_by_depth"):
            raise Untrackable("its layers are not known")

        # Keras matches inputs by name here and may leave some out.
        named = any(isinstance(one, dict) for one in arguments_of(node)[0])
        if named or len(tf.nest.flatten(network.inputs)) != len(call.inputs):
            raise Untrackable("called on inputs by name")


def _options_of(call: Call) -> list[Any]:
    """Lists arguments that may change what a layer computes."""
    args, kwargs = call.arguments
    allowed = channel_rules.options_of(call.layer)
    others = {key: one for key, one in kwargs.items() if key not in allowed}
    return [
        one
        for one in tf.nest.flatten((args, others))
        if one is not None and one is not False and not isinstance(one, Operand)
    ]


def _others_of(node: Any, tensors: list[Any]) -> tuple[Any, ...]:
    """Lists the arguments of a call other than symbolic tensors."""
    if node.is_input:
        return ()
    symbolic = {id(tensor) for tensor in tensors}
    return tuple(
        value
        for value in tf.nest.flatten(arguments_of(node))
        if id(value) not in symbolic
    )
