"""The part of an artifact that decodes its weights when it is loaded.

Loading a SavedModel restores variables and then runs initializers, as it does
for lookup tables. Ours reads the packed weights and assigns them to variables
that have nothing to be restored. All of it is operations that any TensorFlow
has.

Loading a function takes some milliseconds, each of its operations a tenth of
one, so that a small model loads no slower than a dense one only if there are
few of them.
"""

import functools
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.backend import distribution
from tf_rigl.export.saved_model import groups as grouping
from tf_rigl.export.saved_model.groups import Group
from tf_rigl.export.saved_model.packed_weight import WeightSpec
from tf_rigl.export.saved_model.run_decoder import RunDecoder


class Decoder(tf.saved_model.experimental.TrackableResource):
    """Resource whose initializer decodes all weights.

    Made of the path of their file, its content, and specs and groups of all.

    Attributes:
        groups: of the weights, one for each variable.
        variables: of the groups, zero until a loader runs this.
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
        self.variables = [
            _decoded_variable(grouping.group_shape(group, specs), group.dtype)
            for group in groups
        ]
        self._fingerprint = tf.fingerprint([data]).numpy()
        self._data = data
        self._specs = specs
        self.groups = groups

    def read_group(self, index: int) -> list[tf.Tensor]:
        """Reads the weights of a group, one tensor a member.

        Called in a function of an artifact.
        """
        group = self.groups[index]
        members = [self._specs[member] for member in group.members]
        value = self.variables[index].read_value()
        if group.alone:
            return [value]

        sizes = [grouping.rows(spec) for spec in members]
        parts = tf.split(value, sizes, name="w")
        shapes = functools.cache(_shape_constant)
        # Also what is a vector is split out of rows: TensorFlow's optimizer
        # fuses layer normalization as if each operation had one output, and
        # would take the first part of a split for any other; a reshape has
        # one.
        return [
            tf.reshape(_cut(part, spec), shapes(spec.shape), name="r")
            for part, spec in zip(parts, members, strict=True)
        ]

    def _create_resource(self) -> tf.Tensor:
        # Loaders may ask for a resource; this one is never used.
        return tf.raw_ops.VarHandleOp(
            dtype=tf.bool, shape=[], shared_name="tf_rigl_decoder"
        )

    def _initialize(self) -> None:
        # Strings live on the CPU, so decoding does; only what is assigned is
        # copied to the device of the variable.
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
            # One after the other, so that little is in memory twice.
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
        """Returns the functions to be saved, concrete ones.

        A `tf.function` would be traced once more when it is loaded. What
        destroys the resource is left out, since none is made.
        """
        children = super()._trackable_children(save_type, **options)
        return {
            name: _concrete(child)
            for name, child in children.items()
            if name != "_destroy_resource"
        }


def _concrete(function: Any) -> Any:
    """Returns a concrete function that answers for a `tf.function`."""
    concrete = function.get_concrete_function()
    concrete.get_concrete_function = lambda: concrete
    return concrete


def _decoded_variable(shape: Sequence[int], dtype: str) -> tf.Variable:
    """Makes a variable of zeros that is saved without its value.

    TensorFlow has no public way to say this. A variable is a trackable object
    like others, though, and what a checkpoint holds of such an object is up
    to two of its methods. An object that they make nothing of is restored
    from nothing. Seen to work from TensorFlow 2.18 to 2.21, in
    `tf.saved_model.load` as in the loader of TensorFlow 1, which Serving uses.
    """
    variable = distribution.plain_variable(tf.zeros(shape, dtype), False, "w")
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


def _shape_constant(shape: tuple[int, ...]) -> tf.Tensor:
    """Makes a shape, in int32 if it fits, which takes less of the graph."""
    fits = max(shape, default=0) < 1 << 31
    return tf.constant(shape, tf.int32 if fits else tf.int64)


def _cut(part: tf.Tensor, spec: WeightSpec) -> tf.Tensor:
    """Cuts off what fills up the last row of a weight."""
    if spec.elements % grouping.lanes(spec.dtype) == 0:
        return part
    return tf.slice(tf.reshape(part, [-1]), [0], [spec.elements])


def _read(path: tf.Tensor, fingerprint: bytes) -> tf.Tensor:
    """Reads the file of all weights and checks that it is intact."""
    content = tf.io.read_file(path)
    intact = tf.reduce_all(
        tf.equal(tf.fingerprint(tf.reshape(content, [1])), fingerprint)
    )
    check = tf.debugging.Assert(
        intact, ["The file of packed weights is damaged:", path]
    )
    with tf.control_dependencies([check]):
        return tf.io.decode_raw(content, tf.uint8)
