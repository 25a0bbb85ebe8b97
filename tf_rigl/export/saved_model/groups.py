"""Groups the weights of an artifact into few variables.

Each variable of a SavedModel takes 2 kB of its graph and time to load. In a
network of hundreds of small weights that is more than the weights themselves.
Therefore, weights that are only read share variables. A shared variable is a
matrix with rows of 64 bytes. Each weight begins with a new row, because
TensorFlow splits a matrix between rows without copying.
"""

import dataclasses
import itertools
from collections.abc import Collection
from collections.abc import Sequence
from typing import NamedTuple

from tf_rigl.core.packing import ENCODINGS
from tf_rigl.core.packing import values as formats
from tf_rigl.export.saved_model.packed_weight import PackedWeight
from tf_rigl.export.saved_model.packed_weight import WeightSpec
from tf_rigl.export.saved_model.packed_weight import numpy_dtype

ROW = 64  # bytes
# A group may be in memory twice while it is decoded, so its size is limited.
_LARGEST_GROUP = 32 << 20  # bytes


@dataclasses.dataclass(frozen=True)
class Group:
    """The weights that share one variable."""

    dtype: str  # name of the dtype of all of them
    members: tuple[int, ...]  # their indices among all weights

    @property
    def alone(self) -> bool:
        """True if there is one weight; the variable then has its shape."""
        return len(self.members) == 1


@dataclasses.dataclass(frozen=True)
class DecodeRun:
    """Consecutive weights of a group that are stored in the same way."""

    encoding: str  # encoding of their masks
    values: formats.Format  # format of their values
    # One piece per weight, or a single piece for all if they are plain.
    pieces: tuple["Piece", ...]

    @property
    def is_plain(self) -> bool:
        """True if the stored bytes are those of the dense weights."""
        return _is_plain(self)

    @property
    def is_joined(self) -> bool:
        """True if `graph_join` can decode all pieces at once."""
        kept = sum(piece.kept for piece in self.pieces)
        single = len(self.pieces) == 1
        return (
            kept < ENCODINGS[self.encoding].join_limit
            # Each weight has its own scales or seed.
            and self.values not in formats.POSITIONAL
            and (single or all(piece.size % 8 == 0 for piece in self.pieces))
        )

    def relative(self) -> list["Piece"]:
        """Returns the pieces with bytes counted from the start of the run."""
        first = self.pieces[0].begin
        return [
            piece._replace(
                begin=piece.begin - first,
                middle=piece.middle - first,
                end=piece.end - first,
            )
            for piece in self.pieces
        ]


class Piece(NamedTuple):
    """A range of bytes in the file of all weights that is decoded at once."""

    begin: int  # first byte of the mask
    middle: int  # first byte of the values
    end: int  # byte after the last value
    kept: int  # number of stored values
    size: int  # number of elements after decoding, including padding


def lanes(dtype: str) -> int:
    """Returns the number of elements of a dtype in a row."""
    return max(ROW // numpy_dtype(dtype).itemsize, 1)


def rows(spec: WeightSpec) -> int:
    """Returns the number of rows that a decoded weight takes."""
    return -(-spec.elements // lanes(spec.dtype))


def plan_groups(
    weights: Sequence[PackedWeight], alone: Collection[int]
) -> list[Group]:
    """Distributes weights over variables.

    The weights of a group have one dtype. Weights that are stored in the same
    way are neighbors, so that they can be decoded in one run.

    Args:
        weights: the packed weights; their offsets need not be set yet.
        alone: indices of the weights that need a variable of their own.
    """
    specs = [weight.spec for weight in weights]
    shared = [index for index in range(len(specs)) if index not in alone]

    groups: list[Group] = []
    group_bytes = 0
    for index in sorted(shared, key=lambda index: _order(weights[index])):
        spec = specs[index]
        last = groups[-1] if groups else Group("", ())
        weight_bytes = rows(spec) * ROW
        group_bytes += weight_bytes
        if last.dtype != spec.dtype or group_bytes > _LARGEST_GROUP:
            groups.append(Group(spec.dtype, (index,)))
            group_bytes = weight_bytes
        else:
            groups[-1] = Group(last.dtype, (*last.members, index))

    return groups + [Group(specs[index].dtype, (index,)) for index in alone]


def group_shape(group: Group, specs: Sequence[WeightSpec]) -> tuple[int, ...]:
    """Returns the shape of a group's variable; [rows, lanes] if shared."""
    members = [specs[index] for index in group.members]
    if group.alone:
        return members[0].shape
    return sum(map(rows, members)), lanes(group.dtype)


def runs(group: Group, specs: Sequence[WeightSpec]) -> list[DecodeRun]:
    """Splits a group into runs, in the order in which they are stored."""
    return [
        DecodeRun(encoding, values, _pieces(group, list(members)))
        for (encoding, values), members in itertools.groupby(
            (specs[index] for index in group.members),
            key=lambda spec: (spec.encoding, spec.values),
        )
    ]


def _pieces(group: Group, members: list[WeightSpec]) -> tuple[Piece, ...]:
    first, last = members[0], members[-1]
    if _is_plain(first):
        # Plain weights are padded in the file as in the variable, so the bytes
        # of all of them are the values of consecutive rows.
        end = last.offset + stored_bytes(group, last)
        size = sum(_padded(group, spec) for spec in members)
        return (Piece(first.offset, first.offset, end, size, size),)

    return tuple(
        Piece(
            spec.offset,
            spec.offset + spec.mask_bytes,
            spec.offset + spec.bytes,
            spec.kept,
            _padded(group, spec),
        )
        for spec in members
    )


def _padded(group: Group, spec: WeightSpec) -> int:
    """Returns the number of elements that a weight takes in its variable."""
    if group.alone:
        return spec.elements
    return rows(spec) * lanes(spec.dtype)


def stored_bytes(group: Group, spec: WeightSpec) -> int:
    """Returns the number of bytes that a weight takes, including padding."""
    if group.alone or not _is_plain(spec):
        return spec.bytes
    return rows(spec) * ROW


def _order(weight: PackedWeight) -> tuple[str, str, str, int]:
    """Returns the key by which weights are sorted into groups and runs."""
    spec = weight.spec
    return (
        spec.dtype,
        spec.encoding,
        spec.values,
        ENCODINGS[spec.encoding].order(weight.mask_data),
    )


def _is_plain(stored: WeightSpec | DecodeRun) -> bool:
    """Returns whether stored bytes are those of the dense weights."""
    return stored.encoding == "dense" and stored.values == "float32"
