"""The overlap of two sets of masks, beside that of random ones."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_rigl.core import cells
from tf_rigl.core import text_table

_HEADER = (
    "weight",
    "first",
    "second",
    "both",
    "overlap",
    "if random",
    "Jaccard",
    "if random",
)
_MEANING = (
    "Overlap: the fraction of the first's connections that the second has. "
    "Jaccard: connections of both over those of either. If random: of "
    "independent random masks with as many connections in each weight."
)
_SHOWN = 3  # the most paths that an error names


@dataclasses.dataclass(frozen=True)
class Overlap:
    """Counts of two masks A and B, of one weight or of several together.

    Attributes:
        size: number of positions.
        first: connections of A.
        second: connections of B.
        both: connections of A and of B, |A ∩ B|.
        expected_both: the mean of `both` for independent random masks with as
            many connections in each weight.
        variance_of_both: its variance for these.
    """

    size: int
    first: int
    second: int
    both: int
    expected_both: float
    variance_of_both: float

    @property
    def overlap(self) -> float:
        """Fraction of A's connections that B has, |A ∩ B| / |A|."""
        return ratio(self.both, self.first)

    @property
    def expected_overlap(self) -> float:
        """Mean of `overlap` for random masks."""
        return ratio(self.expected_both, self.first)

    @property
    def jaccard(self) -> float:
        """Intersection over union, |A ∩ B| / |A ∪ B|."""
        return jaccard(self.first, self.second, self.both)

    @property
    def expected_jaccard(self) -> float:
        """`jaccard` of random masks that have `expected_both` in common."""
        return jaccard(self.first, self.second, self.expected_both)

    @property
    def deviations(self) -> float | None:
        """Standard deviations of random masks by which `both` is above them.

        None where random masks could not differ, as if one has all positions.
        """
        if not self.variance_of_both:
            return None
        excess = self.both - self.expected_both
        return excess / math.sqrt(self.variance_of_both)


@dataclasses.dataclass(frozen=True)
class WeightOverlap(Overlap):
    """The overlap of two masks of one weight.

    Attributes:
        path: the weight's path, as in `masks(model)`.
    """

    path: str


@dataclasses.dataclass(frozen=True)
class MaskOverlap:
    """The overlap of two sets of masks; `str()` makes a table of it.

    Attributes:
        rows: the overlap of each weight, in the order of the first masks.
    """

    rows: tuple[WeightOverlap, ...]

    @property
    def total(self) -> Overlap:
        """Overlap of all weights together, by the sums of their counts."""
        fields = dataclasses.fields(Overlap)
        sums = {
            field.name: sum(getattr(row, field.name) for row in self.rows)
            for field in fields
        }
        return Overlap(**sums)

    def __str__(self) -> str:
        total = self.total
        lines = text_table.aligned(
            _HEADER,
            [_cells(row.path, row) for row in self.rows],
            _cells("total", total),
        )
        lines += ["", text_table.paragraph(_MEANING)]
        if total.deviations is not None:
            lines.append(
                f"In common: {total.deviations:+.1f} standard deviations from "
                "random masks."
            )
        return "\n".join(lines)


def mask_overlap(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> MaskOverlap:
    """Compares two sets of masks, weight by weight and over all.

    Masks of few connections have some in common by chance, and dense ones have
    most: so the overlap of independent random masks with the same counts stands
    beside theirs.

    Args:
        first: bool arrays by path, such as `tf_rigl.masks(model)` or
            `search.masks(3)` of a `TicketSearch`.
        second: masks of the same paths and shapes, such as those of another
            level, or of a search with another seed.

    Returns:
        The `rows` of the weights and their `total`, with counts, `overlap`
        (the fraction of the first's connections that the second has),
        `jaccard`, and what random masks would have. `str()` makes a table.

    Raises:
        TypeError: if one of them is not a mapping.
        ValueError: if paths or shapes differ, there are no masks, or one is
            not bool.

    Example:
        >>> one, other = np.array([True, True, False]), np.array([True] * 3)
        >>> total = tf_rigl.mask_overlap({"a": one}, {"a": other}).total
        >>> total.overlap, round(total.jaccard, 3), total.expected_overlap
        (1.0, 0.667, 1.0)
    """
    for name, masks in (("first", first), ("second", second)):
        if not isinstance(masks, Mapping):
            raise TypeError(
                f"`{name}` must map the paths of weights to bool arrays. "
                f"Received: {name} of type {type(masks)}. Pass "
                "`tf_rigl.masks(model)`."
            )
    check_paths(first, second)
    return MaskOverlap(
        tuple(_overlap(path, first[path], second[path]) for path in first)
    )


def jaccard(first: float, second: float, both: float) -> float:
    """Returns intersection over union by the counts of two masks."""
    return ratio(both, first + second - both)


def ratio(part: float, whole: float) -> float:
    """Returns a part of a count; 0 of nothing."""
    return part / whole if whole else 0.0


def check_paths(first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Raises a ValueError unless two sets of masks are of the same weights."""
    if first and set(first) == set(second):
        return
    only = [
        sorted(set(one) - set(other), key=str)[:_SHOWN]
        for one, other in ((first, second), (second, first))
    ]
    raise ValueError(
        "Two sets of masks must be of the same weights, at least one. "
        f"Received: {len(first)} and {len(second)} masks; only in the first: "
        f"{only[0]}, only in the second: {only[1]}. Keras numbers layers "
        "without a name: give them names to compare models."
    )


def checked_pair(
    path: str, first: Any, second: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Returns two masks of one weight, or raises a ValueError."""
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or {first.dtype, second.dtype} != {
        np.dtype(bool)
    }:
        raise ValueError(
            "Masks must be bool arrays of one shape. Received: for "
            f"{path!r} {first.dtype}{list(first.shape)} and "
            f"{second.dtype}{list(second.shape)}. `array != 0` is the mask of "
            "an array."
        )
    return first, second


def _overlap(path: str, first: Any, second: Any) -> WeightOverlap:
    first, second = checked_pair(path, first, second)
    size = first.size
    ones, others = int(np.count_nonzero(first)), int(np.count_nonzero(second))
    # Of the hypergeometric distribution: A's places are drawn without
    # replacement, and B's are among them or not.
    mean = ratio(ones * others, size)
    variance = ratio(mean * (size - ones) * (size - others), size * (size - 1))
    return WeightOverlap(
        path=path,
        size=size,
        first=ones,
        second=others,
        both=int(np.count_nonzero(first & second)),
        expected_both=mean,
        variance_of_both=variance,
    )


def _cells(name: str, row: Overlap) -> text_table.Cells:
    return (
        name,
        *cells.counts(row.first, row.second, row.both),
        cells.percent(row.overlap),
        cells.percent(row.expected_overlap),
        cells.percent(row.jaccard),
        cells.percent(row.expected_jaccard),
    )
