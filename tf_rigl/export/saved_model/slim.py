"""Removes redundant parts of a SavedModel's graph."""

import contextlib
import itertools
import posixpath
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tf_rigl.export.function_graph import rename_input

_FILE = "saved_model.pb"
_FINGERPRINT = "fingerprint.pb"
_SHAPES = "_output_shapes"
_SHORT = 4  # characters of a name that is not worth shortening


def slim(folder: str) -> None:
    """Makes the graph of a SavedModel smaller, in place.

    This removes the shapes of all operations' outputs, which TensorFlow infers
    again when it loads the graph, and the definitions of TensorFlow's own
    operations. Both together are two fifths of the graph of ResNet-50. In each
    function, equal constants are merged and long names of nodes shortened.
    """
    path = posixpath.join(folder, _FILE)
    saved_model = saved_model_pb2.SavedModel()
    with tf.io.gfile.GFile(path, "rb") as file:
        saved_model.ParseFromString(file.read())

    for meta_graph in saved_model.meta_graphs:
        meta_graph.meta_info_def.ClearField("stripped_op_list")
        graph = meta_graph.graph_def
        functions = [function.node_def for function in graph.library.function]
        for nodes in (graph.node, *functions):
            for node in nodes:
                node.attr.pop(_SHAPES, None)
        for function in graph.library.function:
            slim_function(function)

    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(saved_model.SerializeToString())

    # The fingerprint of the old graph would be wrong. It is optional.
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.remove(posixpath.join(folder, _FINGERPRINT))


def slim_function(function: Any) -> None:
    """Merges equal constants and shortens names in a FunctionDef, in place."""
    names = _short_names(function)

    # Give equal constants on one device the name of the first of them.
    first: dict[tuple[bytes, str], str] = {}
    for node in function.node_def:
        if node.op == "Const" and not node.input:
            value = node.attr["value"].SerializeToString(deterministic=True)
            key = value, node.device
            names[node.name] = first.setdefault(key, names[node.name])

    # Rename all nodes and keep one of those that share a name. Going backwards,
    # deleting a node does not move the nodes that are still to come.
    kept = set()
    for index, node in reversed([*enumerate(function.node_def)]):
        name = names[node.name]
        if name in kept:
            del function.node_def[index]
            continue

        kept.add(name)
        node.name = name
        # `_class` colocates nodes and would refer to them by their old names.
        node.attr.pop("_class", None)
        node.ClearField("experimental_debug_info")
        node.input[:] = [rename_input(input_, names) for input_ in node.input]

    for results in (function.ret, function.control_ret):
        for key in list(results):
            results[key] = rename_input(results[key], names)


def _short_names(function: Any) -> dict[str, str]:
    """Makes a short name for each node of a FunctionDef.

    Nodes with a `shared_name` keep their names, because their resource may be
    named after the node.
    """
    names = {node.name: node.name for node in function.node_def}
    arguments = (argument.name for argument in function.signature.input_arg)
    taken = {*names, *arguments}
    new_names = (f"m{number:x}" for number in itertools.count())
    for node in function.node_def:
        if len(node.name) > _SHORT and "shared_name" not in node.attr:
            names[node.name] = next(
                name for name in new_names if name not in taken
            )
    return names
