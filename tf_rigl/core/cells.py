"""Cells of tables: numbers and shapes as text."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any


def count(number: int | None) -> str:
    """Writes a whole number with separators; "" for None."""
    return "" if number is None else f"{number:,}"


def counts(*numbers: int | None) -> tuple[str, ...]:
    """Writes whole numbers, a cell for each."""
    return tuple(map(count, numbers))


def totals(rows: Iterable[Any], *attributes: str) -> tuple[str, ...]:
    """Writes the sums of attributes of rows, a cell for each."""
    rows = tuple(rows)
    return counts(*(sum(getattr(row, a) for row in rows) for a in attributes))


def percent(fraction: float | None) -> str:
    """Writes a fraction in hundredths; "" for None."""
    return "" if fraction is None else f"{100 * fraction:.2f} %"


def share(part: int, whole: int) -> str:
    """Writes a part of a whole in hundredths; "" if there is no whole."""
    return f"{100 * part / whole:.2f} %" if whole else ""


def shape(sizes: Sequence[int]) -> str:
    """Writes a shape, as in "3×3×64"; "" for that of a scalar."""
    return "×".join(map(str, sizes))
