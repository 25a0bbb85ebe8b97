"""Decodes the runs of a file of weights, with few operations of a graph.

Where the encoding allows, a run is decoded as one. Otherwise in a loop: with a
call for each weight, loading would put the function in the place of each. Runs
of one kind share a function.
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

# From the bytes of a run and int64 [5], its piece, or [pieces, 5] to elements.
_Decode = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class RunDecoder:
    """Decodes runs, in the order of the file, in the graph that is built.

    Args:
        content: of the file.
        data: the same in the graph, uint8 [bytes].
        runs: all runs of the file, and the dtypes of their weights.
    """

    def __init__(
        self,
        content: bytes,
        data: tf.Tensor,
        runs: Sequence[tuple[groups.DecodeRun, str]],
    ) -> None:
        self._content = content
        self._runs = iter(runs)
        sizes = [
            size
            for run, _ in runs
            for piece in _parts(run, content)
            for size in piece
        ]
        self._parts = iter(_split(data, sizes))
        self._uses = collections.Counter(_kind(*one) for one in runs)
        self._shared = functools.cache(_shared)

    def decode_next(self) -> tf.Tensor:
        """Decodes the weights of the next run, flat, one after the other."""
        run, dtype = next(self._runs)
        parts = [
            [next(self._parts) for _ in piece]
            for piece in _parts(run, self._content)
        ]

        if run.is_plain:
            return _values(_join(parts[0]), run, dtype)
        if run.is_joined:
            return _decode_joined(run, dtype, parts, self._content)

        kind = _kind(run, dtype)
        decode = _decoder(kind) if self._uses[kind] == 1 else self._shared(kind)
        pieces = run.relative()
        return decode(
            parts[0][0],
            tf.constant(pieces if kind.is_loop else pieces[0], tf.int64),
        )


class _DecodeKind(NamedTuple):
    """Properties of runs that the same function decodes."""

    encoding: str
    values: formats.Format
    dtype: str
    is_loop: bool


def _kind(run: groups.DecodeRun, dtype: str) -> _DecodeKind:
    return _DecodeKind(run.encoding, run.values, dtype, len(run.pieces) > 1)


def _parts(run: groups.DecodeRun, content: bytes) -> list[list[int]]:
    """Lists the sizes in bytes of the parts of a run, piece by piece."""
    if run.is_plain or not run.is_joined:
        return [[run.pieces[-1].end - run.pieces[0].begin]]
    code = ENCODINGS[run.encoding]
    return [
        [*code.parts(content[begin:middle]), end - middle]
        for begin, middle, end, *_ in run.pieces
    ]


def _split(data: tf.Tensor, sizes: Sequence[int]) -> list[tf.Tensor]:
    """Cuts a vector into parts of these sizes."""
    if len(sizes) == 1:
        return [data]
    # Numbers of 32 bits take less of the graph.
    fits = sum(sizes) < 1 << 31
    return tf.split(data, tf.constant(sizes, tf.int32 if fits else tf.int64))


def _decode_joined(
    run: groups.DecodeRun,
    dtype: str,
    parts: Sequence[Sequence[tf.Tensor]],
    content: bytes,
) -> tf.Tensor:
    """Decodes all pieces of a run as one."""
    positions = ENCODINGS[run.encoding].graph_join(
        [content[one.begin : one.middle] for one in run.pieces],
        [piece[:-1] for piece in parts],
        [one.size for one in run.pieces],
    )
    values = _values(_join([piece[-1] for piece in parts]), run, dtype)
    return place(positions, values, sum(one.size for one in run.pieces))


def _values(data: tf.Tensor, run: groups.DecodeRun, dtype: str) -> tf.Tensor:
    """Unpacks values that are stored without scales."""
    return formats.graph_unpack(data, None, run.values, tf.as_dtype(dtype))


def _join(parts: Sequence[tf.Tensor]) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, 0)


def _shared(kind: _DecodeKind) -> _Decode:
    """Makes the decoder of runs of a kind as a function of the graph."""
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
    """Makes the decoder of runs of a kind."""
    decode_one = functools.partial(_decode_one, kind)

    def decode_all(data: tf.Tensor, pieces: tf.Tensor) -> tf.Tensor:
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
    """Decodes a mask and its values to elements, flat."""
    code = ENCODINGS[kind.encoding]
    begin, middle, end, kept, size = tf.unstack(piece)
    mask = data[begin:middle]

    positions = None
    if kind.values == "int8":
        positions = code.graph_positions(mask, kept)
    values = formats.graph_unpack(
        data[middle:end], positions, kind.values, tf.as_dtype(kind.dtype)
    )

    return code.graph_place(mask, values, kept, size)
