"""Strips a SavedModel of what it says twice."""

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
_SHORT = 4  # characters


def slim(folder: str) -> None:
    """Takes out of a SavedModel, in place, what loaders find out themselves.

    The shapes of all operations' outputs, which TensorFlow notes while it
    saves and infers anew while it loads, and the definitions of TensorFlow's
    own operations. They are two fifths of the graph of ResNet-50. Equal
    constants of a function become one, and long names of its nodes short.
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

    # It is that of the graph as it was, and no SavedModel needs one.
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.remove(posixpath.join(folder, _FINGERPRINT))


def slim_function(function: Any) -> None:
    """Merges constants and shortens names, in a FunctionDef."""
    names = _short_names(function)

    first: dict[tuple[bytes, str], str] = {}
    for node in function.node_def:
        if node.op == "Const" and not node.input:
            value = node.attr["value"].SerializeToString(deterministic=True)
            key = value, node.device
            names[node.name] = first.setdefault(key, names[node.name])

    kept = set()
    for index, node in reversed([*enumerate(function.node_def)]):
        name = names[node.name]
        if name in kept:
            del function.node_def[index]
            continue

        kept.add(name)
        node.name = name
        node.attr.pop("_class", None)  # names nodes, for placement
        node.ClearField("experimental_debug_info")
        node.input[:] = [rename_input(one, names) for one in node.input]

    for results in (function.ret, function.control_ret):
        for key in list(results):
            results[key] = rename_input(results[key], names)


def _short_names(function: Any) -> dict[str, str]:
    """Makes short names for nodes but those that name a resource, too."""
    names = {node.name: node.name for node in function.node_def}
    taken = {*names, *(one.name for one in function.signature.input_arg)}
    free = (f"m{number:x}" for number in itertools.count())
    for node in function.node_def:
        if len(node.name) > _SHORT and "shared_name" not in node.attr:
            names[node.name] = next(one for one in free if one not in taken)
    return names
