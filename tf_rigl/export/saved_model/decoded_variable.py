"""A variable whose value a SavedModel computes instead of storing it.

TensorFlow has no public way to say this. A variable is a trackable object
like others, though, and what a checkpoint holds of such an object is up to
two of its methods. An object that they make nothing of is restored from
nothing. Seen to work from TensorFlow 2.18 to 2.21, in `tf.saved_model.load` as
in the loader of TensorFlow 1, which Serving uses.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def decoded_variable(shape: Sequence[int], dtype: str) -> tf.Variable:
    """Makes a variable of zeros that is saved without its value."""
    variable = tf.Variable(tf.zeros(shape, dtype), trainable=False, name="w")
    _leave_out(variable)
    # A SavedModel's own graph has copies of all variables, which TensorFlow 1
    # restores.
    export = variable._export_to_saved_model_graph

    def export_and_leave_out(
        object_map: Any, tensor_map: Any, **options: Any
    ) -> Any:
        tensors = export(
            object_map=object_map, tensor_map=tensor_map, **options
        )
        _leave_out(object_map[variable])
        return tensors

    variable._export_to_saved_model_graph = export_and_leave_out
    return variable


def _leave_out(variable: tf.Variable) -> None:
    """Keeps a variable out of checkpoints."""
    variable._serialize_to_tensors = dict
    variable._restore_from_tensors = lambda tensors: None
