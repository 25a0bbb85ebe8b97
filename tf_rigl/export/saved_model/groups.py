"""Groups the weights of an artifact into few variables.

Each variable costs 2 kB of a SavedModel's graph and time to load, which for a
network of hundreds of small weights is more than they are. So weights that
are only read share variables. Each lies in rows of 64 bytes, from the
beginning of a row, and TensorFlow splits such rows without copying anything.
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
# All weights of a group may be in memory twice while it is decoded.
_LARGEST_GROUP = 32 << 20  # bytes


@dataclasses.dataclass(frozen=True)
class Group:
    """The weights of one variable."""

    dtype: str  # of all of them, by name
    members: tuple[int, ...]  # their indices among all weights

    @property
    def alone(self) -> bool:
        """True if the variable is one weight, of its own shape."""
        return len(self.members) == 1


@dataclasses.dataclass(frozen=True)
class DecodeRun:
    """Neighbors in a group that are decoded in the same way."""

    encoding: str  # of all of them
    values: formats.Format  # format of the values of all of them
    # What is decoded at once: one weight, or all if their bytes are their
    # values.
    pieces: tuple["Piece", ...]

    @property
    def is_plain(self) -> bool:
        """True if its bytes are its values as they are."""
        return _is_plain(self)

    @property
    def is_joined(self) -> bool:
        """True if its pieces can be decoded as one."""
        kept = sum(piece.kept for piece in self.pieces)
        one = len(self.pieces) == 1
        return (
            kept < ENCODINGS[self.encoding].join_limit
            and self.values != "int8"  # whose scales differ
            and (one or all(piece.size % 8 == 0 for piece in self.pieces))
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
    """Bytes that are decoded at once.

    It begins with its mask, at byte `begin`; its values are between bytes
    `middle` and `end`; `kept` of them are decoded to `size` elements, padding
    included.
    """

    begin: int
    middle: int
    end: int
    kept: int
    size: int


def lanes(dtype: str) -> int:
    """Counts the elements of a dtype in a row."""
    return max(ROW // numpy_dtype(dtype).itemsize, 1)


def rows(spec: WeightSpec) -> int:
    """Counts the rows that a weight takes when it is dense."""
    return -(-spec.elements // lanes(spec.dtype))


def plan_groups(
    weights: Sequence[PackedWeight], alone: Collection[int]
) -> list[Group]:
    """Distributes weights, in no place yet, over variables.

    `alone` has the indices of those that need a variable of their own. Each
    group has one dtype and is sorted by how its weights are stored.
    """
    specs = [weight.spec for weight in weights]
    shared = [index for index in range(len(specs)) if index not in alone]

    groups: list[Group] = []
    size = 0
    for index in sorted(shared, key=lambda index: _order(weights[index])):
        spec = specs[index]
        more = rows(spec) * ROW
        last = groups[-1] if groups else Group("", ())
        size += more
        if last.dtype != spec.dtype or size > _LARGEST_GROUP:
            groups.append(Group(spec.dtype, (index,)))
            size = more
        else:
            groups[-1] = Group(last.dtype, (*last.members, index))

    return groups + [Group(specs[index].dtype, (index,)) for index in alone]


def group_shape(group: Group, specs: Sequence[WeightSpec]) -> tuple[int, ...]:
    """Returns the shape of a group's variable."""
    members = [specs[index] for index in group.members]
    if group.alone:
        return members[0].shape
    return sum(map(rows, members)), lanes(group.dtype)


def runs(group: Group, specs: Sequence[WeightSpec]) -> list[DecodeRun]:
    """Splits a group into runs, in the order of decoding."""
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
    """Counts the elements that a weight takes in its group's variable."""
    if group.alone:
        return spec.elements
    return rows(spec) * lanes(spec.dtype)


def stored_bytes(group: Group, spec: WeightSpec) -> int:
    """Counts the bytes that a weight takes in the file, padding included."""
    if group.alone or not _is_plain(spec):
        return spec.bytes
    return rows(spec) * ROW


def _order(weight: PackedWeight) -> tuple[str, str, str, int]:
    """Returns the key that sorts weights into groups and runs."""
    spec = weight.spec
    return (
        spec.dtype,
        spec.encoding,
        spec.values,
        ENCODINGS[spec.encoding].order(weight.mask_data),
    )


def _is_plain(one: WeightSpec | DecodeRun) -> bool:
    """Returns whether the bytes of weights are their values as they are."""
    return one.encoding == "dense" and one.values == "float32"
