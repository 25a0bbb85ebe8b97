"""Decodes the runs of a file of weights with few graph ops.

Each operation makes loading slower, so the number of operations should not grow
with the number of weights. A run is decoded at once if its encoding allows it.
Otherwise a loop decodes its weights one by one. (With one function call per
weight instead, TensorFlow would inline the function once per weight when it
loads the graph.) Runs of the same kind share one function.
"""

import collections
import functools
from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing import values as formats
from tf_rigl.core.packing.encoding import place
from tf_rigl.export.saved_model import groups

# Decodes the bytes of a run, uint8 [bytes], to a vector of elements. The second
# argument is int64: [5], a `Piece`, or [pieces, 5].
_Decode = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class RunDecoder:
    """Adds ops to the current graph that decode the runs of a file, in order.

    Args:
        content: the content of the file, from which the ops are planned.
        data: uint8 [bytes], the content when the graph runs.
        runs: all runs of the file, with the names of their weights' dtypes.
    """

    def __init__(
        self,
        content: bytes,
        data: tf.Tensor,
        runs: Sequence[tuple[groups.DecodeRun, str]],
    ) -> None:
        self._content = content
        self._runs = iter(runs)

        # One operation splits the file into the parts of all runs.
        sizes = [
            size
            for run, _ in runs
            for piece_sizes in _part_sizes(run, content)
            for size in piece_sizes
        ]
        self._parts = iter(_split(data, sizes))

        # Runs of a kind that occurs more than once share a function.
        self._uses = collections.Counter(
            _kind(run, dtype) for run, dtype in runs
        )
        self._shared_decoder = functools.cache(_shared_decoder)

    def decode_next(self) -> tf.Tensor:
        """Decodes the next run to a vector with the elements of its weights."""
        run, dtype = next(self._runs)
        parts = [
            [next(self._parts) for _ in piece_sizes]
            for piece_sizes in _part_sizes(run, self._content)
        ]

        if run.is_plain:
            return _values(_join(parts[0]), run, dtype)
        if run.is_joined:
            return _decode_joined(run, dtype, parts, self._content)

        # A function that is used once would only add the cost of loading it.
        kind = _kind(run, dtype)
        is_shared = self._uses[kind] > 1
        decode = self._shared_decoder(kind) if is_shared else _decoder(kind)
        pieces = run.relative()
        return decode(
            parts[0][0],
            tf.constant(pieces if kind.is_loop else pieces[0], tf.int64),
        )


class _DecodeKind(NamedTuple):
    """Properties in which runs must agree to be decoded by one function."""

    encoding: str
    values: formats.Format
    dtype: str
    is_loop: bool


def _kind(run: groups.DecodeRun, dtype: str) -> _DecodeKind:
    return _DecodeKind(run.encoding, run.values, dtype, len(run.pieces) > 1)


def _part_sizes(run: groups.DecodeRun, content: bytes) -> list[list[int]]:
    """Returns the sizes in bytes of the parts of a run, for each piece.

    A run that is not joined is a single part.
    """
    if run.is_plain or not run.is_joined:
        return [[run.pieces[-1].end - run.pieces[0].begin]]
    code = ENCODINGS[run.encoding]
    return [
        [*code.parts(content[begin:middle]), end - middle]
        for begin, middle, end, *_ in run.pieces
    ]


def _split(data: tf.Tensor, sizes: Sequence[int]) -> list[tf.Tensor]:
    """Splits a vector into parts of the given sizes."""
    if len(sizes) <= 1:
        return [data] * len(sizes)
    # int32 halves the bytes of this constant in the graph.
    fits = sum(sizes) < 1 << 31
    return tf.split(data, tf.constant(sizes, tf.int32 if fits else tf.int64))


def _decode_joined(
    run: groups.DecodeRun,
    dtype: str,
    parts: Sequence[Sequence[tf.Tensor]],
    content: bytes,
) -> tf.Tensor:
    """Decodes all pieces of a run at once.

    The last part of each piece holds its values, the others its mask.
    """
    sizes = [piece.size for piece in run.pieces]
    positions = ENCODINGS[run.encoding].graph_join(
        [content[piece.begin : piece.middle] for piece in run.pieces],
        [piece_parts[:-1] for piece_parts in parts],
        sizes,
    )
    values = _values(
        _join([piece_parts[-1] for piece_parts in parts]), run, dtype
    )
    return place(positions, values, sum(sizes))


def _values(data: tf.Tensor, run: groups.DecodeRun, dtype: str) -> tf.Tensor:
    """Unpacks the values of a run, in any format that needs no positions."""
    return formats.graph_unpack(data, None, run.values, tf.as_dtype(dtype))


def _join(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, 0)


def _shared_decoder(kind: _DecodeKind) -> _Decode:
    """Makes the decoder for a kind of runs as a `tf.function`."""
    fields = len(groups.Piece._fields)
    shape = [None, fields] if kind.is_loop else [fields]
    return tf.function(
        _decoder(kind),
        autograph=False,
        input_signature=[
            tf.TensorSpec([None], tf.uint8),
            tf.TensorSpec(shape, tf.int64),
        ],
    )


def _decoder(kind: _DecodeKind) -> _Decode:
    """Makes the decoder for a kind of runs as a Python function."""
    decode_one = functools.partial(_decode_one, kind)

    def decode_all(data: tf.Tensor, pieces: tf.Tensor) -> tf.Tensor:
        """Decodes the pieces of a run one by one and concatenates them."""
        count = tf.shape(pieces)[0]
        decoded = tf.TensorArray(
            kind.dtype, count, infer_shape=False, element_shape=[None]
        )
        _, decoded = tf.while_loop(
            lambda index, decoded: index < count,
            lambda index, decoded: (
                index + 1,
                decoded.write(index, decode_one(data, pieces[index])),
            ),
            (0, decoded),
        )
        return decoded.concat()

    return decode_all if kind.is_loop else decode_one


def _decode_one(
    kind: _DecodeKind, data: tf.Tensor, piece: tf.Tensor
) -> tf.Tensor:
    """Decodes one piece to a vector of elements.

    `data` are the bytes of its run and `piece` is int64 [5].
    """
    code = ENCODINGS[kind.encoding]
    begin, middle, end, kept, size = tf.unstack(piece)
    mask = data[begin:middle]

    positions = None
    if kind.values in formats.POSITIONAL:
        positions = code.graph_positions(mask, kept)
    values = formats.graph_unpack(
        data[middle:end], positions, kind.values, tf.as_dtype(kind.dtype)
    )

    return code.graph_place(mask, values, kept, size, positions)
