"""Moves graphs of traced functions into functions of an artifact.

A variable that is only read becomes an input of the graph, so that its value
can come from anywhere, such as a part of a larger variable. Nodes get short
names: in a network of many small layers, names are half of the graph.
"""

import collections
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

_READ = "ReadVariableOp"


def read_only(functions: Iterable[Any]) -> set[int]:
    """Returns identities of captured handles that all functions merely read."""
    read: set[int] = set()
    other: set[int] = set()
    for function in functions:
        consumers = _consumers(function.graph)
        for outer, inner in function.graph.captures:
            operations = consumers[inner.op.name]
            only_read = all(kind == _READ for kind in operations)
            (read if only_read else other).add(id(outer))
    return read - other


def insert(
    function: Any,
    arguments: Any,
    values: Mapping[int, tf.Tensor],
    handles: Mapping[int, tf.Tensor],
) -> Any:
    """Puts the graph of a function into the graph that is being built.

    Args:
        function: a concrete function.
        arguments: what it is called on, in any structure; what is no tensor
            is part of the graph already.
        values: what reading a captured variable gives, by the identity of
            its handle; `read_only` says which variables may stand here.
        handles: other handles, by the identity of the handle that the
            function has captured. What is in neither is captured again.

    Returns:
        The outputs, in the function's own structure.
    """
    graph = function.graph
    captures = graph.captures
    definition = graph.as_graph_def()
    names = _short_names(definition)

    replaced: dict[str, str] = {}
    inputs: dict[str, tf.Tensor] = {}
    consumed = {
        inner.op.name: value
        for outer, inner in captures
        if (value := values.get(id(outer))) is not None
    }
    for node in definition.node:
        if node.op == _READ and node.input[0].partition(":")[0] in consumed:
            source = node.input[0].partition(":")[0]
            replaced[node.name] = f"v{names[source]}"
            inputs[f"v{names[source]}:0"] = consumed[source]

    current = tf.compat.v1.get_default_graph()
    for outer, inner in captures:
        if inner.op.name not in consumed:
            handle = handles.get(id(outer), outer)
            inputs[f"{names[inner.op.name]}:0"] = current.capture(handle)

    own = graph.inputs[: len(graph.inputs) - len(captures)]
    given = tf.nest.flatten(arguments, expand_composites=True)
    given = [argument for argument in given if tf.is_tensor(argument)]
    for tensor, argument in zip(own, given, strict=True):
        inputs[f"{names[tensor.op.name]}:0"] = argument

    new = {**names, **replaced}
    _rename(definition, new, replaced, consumed)

    outputs = tf.nest.flatten(
        function.structured_outputs, expand_composites=True
    )
    indices = [index for index, one in enumerate(outputs) if tf.is_tensor(one)]

    imported = tf.graph_util.import_graph_def(
        definition,
        input_map=inputs,
        return_elements=[
            rename_input(outputs[index].name, new) for index in indices
        ],
        name="",
    )
    for index, tensor in zip(indices, imported, strict=True):
        tensor.set_shape(outputs[index].shape)
        outputs[index] = tensor

    return tf.nest.pack_sequence_as(
        function.structured_outputs, outputs, expand_composites=True
    )


def _consumers(graph: Any) -> dict[str, list[str]]:
    """Maps each operation to the kinds of those that take its outputs."""
    consumers = collections.defaultdict(list)
    for operation in graph.get_operations():
        for tensor in operation.inputs:
            consumers[tensor.op.name].append(operation.type)
    for tensor in graph.outputs:
        consumers[tensor.op.name].append("output")
    return consumers


def _short_names(definition: Any) -> dict[str, str]:
    """Makes short names for nodes but those that name a resource, too."""
    taken = {node.name for node in definition.node}
    names = {}
    number = 0
    for node in definition.node:
        if "shared_name" in node.attr:
            names[node.name] = node.name
            continue
        while f"n{number:x}" in taken:
            number += 1
        names[node.name] = f"n{number:x}"
        number += 1
    return names


def _rename(
    definition: Any,
    names: Mapping[str, str],
    replaced: Collection[str],
    dropped: Collection[str],
) -> None:
    """Renames the nodes of a GraphDef, in place, and drops some.

    The output of those in `replaced` is an input of the graph now.
    """
    for index in reversed(range(len(definition.node))):
        node = definition.node[index]
        if node.name in replaced or node.name in dropped:
            del definition.node[index]
            continue

        node.name = names[node.name]
        node.attr.pop("_class", None)  # names nodes, for placement

        inputs = [
            rename_input(one, names)
            for one in node.input
            # A read that is no more cannot be waited for.
            if one.lstrip("^") not in replaced or not one.startswith("^")
        ]
        del node.input[:]
        node.input.extend(inputs)


def rename_input(name: str, names: Mapping[str, str]) -> str:
    """Renames an input of a node: an argument, or a node and its output."""
    control = "^" if name.startswith("^") else ""
    node, colon, output = name.lstrip("^").partition(":")
    return f"{control}{names.get(node, node)}{colon}{output}"
