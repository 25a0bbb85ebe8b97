"""The resource of an artifact that decodes its weights when it is loaded.

Loading a SavedModel first restores its variables and then runs initializers,
such as those of lookup tables. The initializer here reads the packed weights,
decodes them and assigns them to variables that are saved without values. It
uses only operations that every TensorFlow has.

Loading a function takes some milliseconds, and each of its operations a tenth
of one. To load a small model as fast as a dense one, the code below uses few
functions and few operations.
"""

import functools
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend import unset_variables
from tf_rigl.export.saved_model import groups as grouping
from tf_rigl.export.saved_model.groups import Group
from tf_rigl.export.saved_model.packed_weight import WeightSpec
from tf_rigl.export.saved_model.run_decoder import RunDecoder


class Decoder(tf.saved_model.experimental.TrackableResource):
    """A resource whose initializer decodes all weights.

    Args:
        blob: path of the file of all weights.
        data: content of this file.
        specs: metadata of all weights.
        groups: groups of all weights, in the order of the file.

    Attributes:
        blob: the file, as an asset of the artifact.
        groups: the groups, one per variable.
        variables: the variables, which have values once a loader has run the
            initializer.
    """

    def __init__(
        self,
        blob: str,
        data: bytes,
        specs: Sequence[WeightSpec],
        groups: Sequence[Group],
    ) -> None:
        super().__init__()
        self.blob = tf.saved_model.Asset(blob)
        self.groups = groups
        self.variables = [
            _decoded_variable(grouping.group_shape(group, specs), group.dtype)
            for group in groups
        ]

        # The initializer's graph depends on the content, and checks it.
        self._specs = specs
        self._data = data
        self._fingerprint = tf.fingerprint([data]).numpy()

    def read_group(self, index: int) -> list[tf.Tensor]:
        """Reads the weights of a group as one tensor per member.

        To be called while a function of the artifact is traced.
        """
        group = self.groups[index]
        members = [self._specs[member] for member in group.members]
        value = self.variables[index].read_value()
        if group.alone:
            return [value]

        sizes = [grouping.rows(spec) for spec in members]
        parts = tf.split(value, sizes, name="w")
        # Weights of one shape share the constant that holds it.
        shapes = functools.cache(_shape_constant)
        # Vectors are reshaped, too, never used as parts of a split: when
        # TensorFlow's optimizer fuses layer normalization, it assumes that each
        # operation has one output, and takes the first part of a split for any
        # other. A reshape has one output.
        return [
            tf.reshape(_cut(part, spec), shapes(spec.shape), name="r")
            for part, spec in zip(parts, members, strict=True)
        ]

    def _create_resource(self) -> tf.Tensor:
        """Makes a handle, which loaders ask for and nothing else uses."""
        return tf.raw_ops.VarHandleOp(
            dtype=tf.bool, shape=[], shared_name="tf_rigl_decoder"
        )

    def _initialize(self) -> None:
        """Decodes all weights and assigns them to their variables."""
        # The file is read as a string, and strings live on the CPU. So the CPU
        # decodes, and only decoded weights are copied to other devices.
        with tf.device("/device:CPU:0"):
            data = _read(self.blob.asset_path, self._fingerprint)
            decoder = RunDecoder(
                self._data,
                data,
                [
                    (run, group.dtype)
                    for group in self.groups
                    for run in grouping.runs(group, self._specs)
                ],
            )

        assigned: list[tf.Operation] = []
        for variable, group in zip(self.variables, self.groups, strict=True):
            shape = grouping.group_shape(group, self._specs)
            # One group after the other, so that at most one is in memory twice.
            with tf.control_dependencies(assigned):
                with tf.device("/device:CPU:0"):
                    parts = [
                        decoder.decode_next()
                        for _ in grouping.runs(group, self._specs)
                    ]
                    value = parts[0] if len(parts) == 1 else tf.concat(parts, 0)
                    value = tf.reshape(value, shape)
                assigned = [variable.assign(value, read_value=False)]

    def _trackable_children(
        self, save_type: str = "checkpoint", **options: Any
    ) -> Mapping[str, Any]:
        """Returns the functions to save, as concrete functions.

        A `tf.function` would be traced again when the artifact is loaded. The
        function that destroys the resource is left out: there is nothing to
        destroy.
        """
        children = super()._trackable_children(save_type, **options)
        return {
            name: _concrete(child)
            for name, child in children.items()
            if name != "_destroy_resource"
        }


def _concrete(function: Any) -> Any:
    """Returns the concrete function of a `tf.function`.

    TensorFlow calls `get_concrete_function` of whatever it saves here, so the
    result has this method, too.
    """
    concrete = function.get_concrete_function()
    concrete.get_concrete_function = lambda: concrete
    return concrete


def _decoded_variable(shape: Sequence[int], dtype: str) -> tf.Variable:
    """Makes a variable that is saved without its value.

    TensorFlow has no public way to do this. But a variable, like any trackable
    object, decides by two methods what a checkpoint holds of it. If these
    methods save nothing, nothing is restored. This was seen to work in
    TensorFlow 2.18 to 2.21, in `tf.saved_model.load` and in the loader of
    TensorFlow 1, which TensorFlow Serving uses.
    """
    # Without memory, which would be as large as the model is when decoded.
    variable = unset_variables.make(shape, tf.as_dtype(dtype), "w", False)
    _leave_out(variable)
    # The loader of TensorFlow 1 restores the copies of variables that the graph
    # of a SavedModel holds, so the copy must be left out as well.
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


def _shape_constant(shape: tuple[int, ...]) -> tf.Tensor:
    """Makes a constant of a shape, in int32 if possible to save bytes."""
    fits = max(shape, default=0) < 1 << 31
    return tf.constant(shape, tf.int32 if fits else tf.int64)


def _cut(part: tf.Tensor, spec: WeightSpec) -> tf.Tensor:
    """Removes the padding at the end of a weight's last row."""
    if spec.elements % grouping.lanes(spec.dtype) == 0:
        return part
    return tf.slice(tf.reshape(part, [-1]), [0], [spec.elements])


def _read(path: tf.Tensor, fingerprint: bytes) -> tf.Tensor:
    """Reads the file of all weights as uint8 [bytes], by graph ops.

    The loader fails if the content does not have the given fingerprint.
    """
    content = tf.io.read_file(path)
    intact = tf.reduce_all(
        tf.equal(tf.fingerprint(tf.reshape(content, [1])), fingerprint)
    )
    check = tf.debugging.Assert(
        intact, ["The file of packed weights is damaged:", path]
    )
    with tf.control_dependencies([check]):
        return tf.io.decode_raw(content, tf.uint8)
