"""Copies graphs of traced functions into functions of an artifact.

Reads of a captured variable can be replaced by a tensor while a graph is
copied, so that the value can come from anywhere, such as from a part of a
larger variable. Nodes get short names: in a network of many small layers, the
names take half of the graph's bytes.
"""

import collections
import itertools
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

_READ = "ReadVariableOp"


def read_only(functions: Iterable[Any]) -> set[int]:
    """Finds the captured handles that no function uses except to read them.

    Args:
        functions: concrete functions.

    Returns:
        The `id`s of these handles, which `insert` can replace by values.
    """
    read: set[int] = set()
    used_otherwise: set[int] = set()
    for function in functions:
        consumers = _consumers(function.graph)
        for outer, inner in function.graph.captures:
            operations = consumers[inner.op.name]
            only_read = all(kind == _READ for kind in operations)
            (read if only_read else used_otherwise).add(id(outer))
    return read - used_otherwise


def insert(
    function: Any,
    arguments: Any,
    values: Mapping[int, tf.Tensor],
    handles: Mapping[int, tf.Tensor],
) -> Any:
    """Copies the graph of a function into the graph that is being built.

    Args:
        function: a concrete function.
        arguments: the arguments of the call, in any structure. Only tensors
            are used, because all other values are part of the graph.
        values: tensors that replace the reads of captured variables, keyed by
            the `id` of the variable's handle. Only handles that `read_only`
            returns may be keys.
        handles: handles to capture instead of those that the function has
            captured, keyed by the `id` of the latter. A handle that is a key
            of neither mapping is captured as it is.

    Returns:
        The outputs, in the structure that the function returns.
    """
    graph = function.graph
    captures = graph.captures
    definition = graph.as_graph_def()
    names = _short_names(definition)

    # Replace each read of a variable in `values` by an input of the graph.
    replaced: dict[str, str] = {}  # names of reads -> names of the new inputs
    inputs: dict[str, tf.Tensor] = {}  # tensors by the names that they replace
    read_values = {
        inner.op.name: value
        for outer, inner in captures
        if (value := values.get(id(outer))) is not None
    }
    for node in definition.node:
        if node.op != _READ:
            continue
        source = node.input[0].partition(":")[0]
        if source in read_values:
            replaced[node.name] = f"v{names[source]}"
            inputs[f"v{names[source]}:0"] = read_values[source]

    # Capture all other handles in the current graph.
    current = tf.compat.v1.get_default_graph()
    for outer, inner in captures:
        if inner.op.name not in read_values:
            handle = handles.get(id(outer), outer)
            inputs[f"{names[inner.op.name]}:0"] = current.capture(handle)

    # The first inputs of the graph are its arguments, the others its captures.
    own = graph.inputs[: len(graph.inputs) - len(captures)]
    given = tf.nest.flatten(arguments, expand_composites=True)
    given = [argument for argument in given if tf.is_tensor(argument)]
    for tensor, argument in zip(own, given, strict=True):
        inputs[f"{names[tensor.op.name]}:0"] = argument

    new_names = {**names, **replaced}
    _rename(definition, new_names, replaced, read_values)

    # Outputs that are no tensors, such as None, are returned as they are.
    outputs = tf.nest.flatten(
        function.structured_outputs, expand_composites=True
    )
    indices = [
        index for index, output in enumerate(outputs) if tf.is_tensor(output)
    ]

    # Import the renamed graph and return its outputs in their structure.
    imported = tf.graph_util.import_graph_def(
        definition,
        input_map=inputs,
        return_elements=[
            rename_input(outputs[index].name, new_names) for index in indices
        ],
        name="",
    )
    for index, tensor in zip(indices, imported, strict=True):
        # Shapes that were set by hand while tracing are not in the GraphDef.
        tensor.set_shape(outputs[index].shape)
        outputs[index] = tensor

    return tf.nest.pack_sequence_as(
        function.structured_outputs, outputs, expand_composites=True
    )


def _consumers(graph: Any) -> dict[str, list[str]]:
    """Maps the name of each operation to the types of its consumers.

    An output of the graph counts as a consumer of type "output".
    """
    consumers = collections.defaultdict(list)
    for operation in graph.get_operations():
        for tensor in operation.inputs:
            consumers[tensor.op.name].append(operation.type)
    for tensor in graph.outputs:
        consumers[tensor.op.name].append("output")
    return consumers


def _short_names(definition: Any) -> dict[str, str]:
    """Makes a short name for each node of a GraphDef.

    Nodes with a `shared_name` keep their names, because their resource may be
    named after the node.
    """
    taken = {node.name for node in definition.node}
    new_names = (f"n{number:x}" for number in itertools.count())
    names = {}
    for node in definition.node:
        if "shared_name" in node.attr:
            names[node.name] = node.name
        else:
            names[node.name] = next(
                name for name in new_names if name not in taken
            )
    return names


def _rename(
    definition: Any,
    names: Mapping[str, str],
    replaced: Collection[str],
    dropped: Collection[str],
) -> None:
    """Renames the nodes of a GraphDef in place and removes some of them.

    Args:
        definition: the GraphDef.
        names: new names of nodes, by their old names.
        replaced: old names of nodes to remove; `names` names the input of the
            graph that takes their place.
        dropped: old names of nodes to remove without replacement.
    """
    for index in reversed(range(len(definition.node))):
        node = definition.node[index]
        if node.name in replaced or node.name in dropped:
            del definition.node[index]
            continue

        node.name = names[node.name]
        # `_class` colocates nodes and would refer to them by their old names.
        node.attr.pop("_class", None)

        inputs = [
            rename_input(name, names)
            for name in node.input
            # A removed read cannot be a control dependency.
            if name.lstrip("^") not in replaced or not name.startswith("^")
        ]
        del node.input[:]
        node.input.extend(inputs)


def rename_input(name: str, names: Mapping[str, str]) -> str:
    """Renames the node in an input of a node, such as `name:0` or `^name`."""
    control = "^" if name.startswith("^") else ""
    node, colon, output = name.lstrip("^").partition(":")
    return f"{control}{names.get(node, node)}{colon}{output}"
