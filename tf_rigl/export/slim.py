"""What a SavedModel says twice, left out."""

import contextlib
import posixpath

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

_FILE = "saved_model.pb"
_FINGERPRINT = "fingerprint.pb"
_SHAPES = "_output_shapes"


def slim(folder: str) -> None:
    """Takes out of a SavedModel what loaders find out by themselves.

    The shapes of all operations' outputs, which TensorFlow notes while it
    saves and infers anew while it loads, and the definitions of TensorFlow's
    own operations. They are two fifths of the graph of ResNet-50.

    Args:
        folder: of the SavedModel, changed in place.
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
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(saved_model.SerializeToString())
    # It is that of the graph as it was, and no SavedModel needs one.
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.remove(posixpath.join(folder, _FINGERPRINT))
