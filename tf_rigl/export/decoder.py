"""The part of an artefact that decodes its weights when it is loaded.

Loading a SavedModel restores variables and then runs initializers, as it does
for lookup tables. Ours reads the packed weights and assigns them to variables
that have nothing to be restored. All of it is operations that any TensorFlow
has.
"""

import functools
from collections.abc import Callable
from collections.abc import Sequence

import tensorflow as tf

from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing import values as formats
from tf_rigl.export.decoded_variable import decoded_variable
from tf_rigl.export.entry import Entry
from tf_rigl.export.groups import Group
from tf_rigl.export.groups import Piece
from tf_rigl.export.groups import Run
from tf_rigl.export.groups import group_shape
from tf_rigl.export.groups import lanes
from tf_rigl.export.groups import rows
from tf_rigl.export.groups import runs


class Decoder(tf.saved_model.experimental.TrackableResource):
    """Decodes weights; what loaders initialize.

    Args:
        blob: path of the file of all weights.
        data: its content.
        entries: of all weights.
        groups: of all weights.

    Attributes:
        variables: one for each group, zero until a loader runs this.
    """

    def __init__(
        self,
        blob: str,
        data: bytes,
        entries: Sequence[Entry],
        groups: Sequence[Group],
    ) -> None:
        super().__init__()
        self.blob = tf.saved_model.Asset(blob)
        self.variables = [
            decoded_variable(group_shape(group, entries), group.dtype)
            for group in groups
        ]
        self._fingerprint = tf.fingerprint([data]).numpy()
        self._entries = entries
        self._groups = groups

    def _create_resource(self) -> tf.Tensor:
        # Loaders ask for a resource; this one is never used.
        return tf.raw_ops.VarHandleOp(
            dtype=tf.bool, shape=[], shared_name="tf_rigl_decoder"
        )

    def _destroy_resource(self) -> None:
        tf.raw_ops.DestroyResourceOp(resource=self.resource_handle)

    def _initialize(self) -> None:
        # Graph and strings are the processor's; only what is assigned goes
        # to where the variable is.
        with tf.device("/device:CPU:0"):
            data = _read(self.blob.asset_path, self._fingerprint)
        functions = _DecodingFunctions()
        assigned: list[tf.Operation] = []
        for variable, group in zip(self.variables, self._groups, strict=True):
            # One after the other, so that little is in memory twice.
            with tf.control_dependencies(assigned):
                with tf.device("/device:CPU:0"):
                    value = functions.decode_group(data, group, self._entries)
                assigned = [variable.assign(value, read_value=False)]


def read_group(
    variable: tf.Variable, group: Group, entries: Sequence[Entry]
) -> list[tf.Tensor]:
    """The weights of a group, in a function of an artefact.

    Args:
        variable: the group's.
        group: the group.
        entries: of all weights.

    Returns:
        A tensor for each member.
    """
    members = [entries[place] for place in group.members]
    value = variable.read_value()
    if group.alone:
        return [value]
    parts = tf.split(value, [rows(entry) for entry in members], name="w")
    shapes = functools.cache(_shape_constant)
    # Also what is a vector is split out of rows: TensorFlow's optimizer fuses
    # layer normalization as if each operation had one output, and would take
    # the first part of a split for any other; a reshape has one.
    return [
        tf.reshape(_cut(part, entry), shapes(entry.shape), name="r")
        for part, entry in zip(parts, members, strict=True)
    ]


def _shape_constant(shape: tuple[int, ...]) -> tf.Tensor:
    """A shape in int32, which takes less of the graph, where it fits."""
    fits = max(shape, default=0) < 1 << 31
    return tf.constant(shape, tf.int32 if fits else tf.int64)


def _cut(part: tf.Tensor, entry: Entry) -> tf.Tensor:
    """The rows of a weight without what fills the last one up."""
    if entry.elements % lanes(entry.dtype) == 0:
        return part
    return tf.slice(tf.reshape(part, [-1]), [0], [entry.elements])


def _read(path: tf.Tensor, fingerprint: bytes) -> tf.Tensor:
    """The bytes of the file of all weights, if they are intact."""
    content = tf.io.read_file(path)
    intact = tf.reduce_all(
        tf.equal(tf.fingerprint(content[tf.newaxis]), fingerprint)
    )
    check = tf.debugging.Assert(
        intact, ["The file of packed weights is damaged:", path]
    )
    with tf.control_dependencies([check]):
        return tf.io.decode_raw(content, tf.uint8)


class _DecodingFunctions:
    """Decodes groups; each way to decode is a function of its own."""

    def __init__(self) -> None:
        self._function = functools.cache(_decoding_function)

    def decode_group(
        self, data: tf.Tensor, group: Group, entries: Sequence[Entry]
    ) -> tf.Tensor:
        """The value of a group's variable."""
        parts = [
            self._decode_run(data, run, group.dtype)
            for run in runs(group, entries)
        ]
        whole = parts[0] if len(parts) == 1 else tf.concat(parts, 0)
        return tf.reshape(whole, group_shape(group, entries))

    def _decode_run(self, data: tf.Tensor, run: Run, dtype: str) -> tf.Tensor:
        """The weights of a run, flat, one after the other."""
        decode = self._function(run.encoding, run.values, dtype)
        pieces = tf.constant(run.pieces, tf.int64)
        count = len(run.pieces)
        if count == 1:
            return decode(data, pieces[0])
        # A loop: the graph would have a call for each weight, and loading
        # would put the function in the place of each.
        decoded = tf.TensorArray(
            dtype, count, infer_shape=False, element_shape=[None]
        )
        _, decoded = tf.while_loop(
            lambda place, decoded: place < count,
            lambda place, decoded: (
                place + 1,
                decoded.write(place, decode(data, pieces[place])),
            ),
            (0, decoded),
        )
        return decoded.concat()


def _decoding_function(
    encoding: str, stored: formats.Format, dtype: str
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function that decodes a piece.

    It takes the bytes of all weights and int64 numbers, those of a `Piece`.
    """

    def decode(data: tf.Tensor, piece: tf.Tensor) -> tf.Tensor:
        begin, middle, end, kept, size = tf.unstack(piece)
        whole = tf.slice(data, [begin], [end - begin])
        mask, values = tf.split(whole, [middle - begin, -1])
        code = ENCODINGS[encoding]
        positions = None
        if stored == "int8":
            positions = code.graph_positions(mask, kept)
        values = formats.graph_unpack(
            values, positions, stored, tf.as_dtype(dtype)
        )
        return code.graph_place(mask, values, size)

    return tf.function(
        decode,
        autograph=False,
        input_signature=[
            tf.TensorSpec([None], tf.uint8),
            tf.TensorSpec([len(Piece._fields)], tf.int64),
        ],
    )
