"""Formatting of numbers and shapes for the cells of report tables."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any


def count(number: int | None) -> str:
    """Formats an integer with thousands separators; None becomes ""."""
    return "" if number is None else f"{number:,}"


def counts(*numbers: int | None) -> tuple[str, ...]:
    """Formats integers with thousands separators, one cell per number."""
    return tuple(map(count, numbers))


def totals(rows: Iterable[Any], *attributes: str) -> tuple[str, ...]:
    """Sums each attribute over all rows and formats one cell per attribute."""
    rows = tuple(rows)
    return counts(*(sum(getattr(row, a) for row in rows) for a in attributes))


def percent(fraction: float | None) -> str:
    """Formats a fraction as a percentage; None becomes ""."""
    return "" if fraction is None else f"{100 * fraction:.2f} %"


def share(part: int, whole: int) -> str:
    """Formats `part / whole` as a percentage, or "" if `whole` is 0."""
    return f"{100 * part / whole:.2f} %" if whole else ""


def shape(sizes: Sequence[int]) -> str:
    """Formats a shape such as "3×3×64"; a scalar's shape becomes ""."""
    return "×".join(map(str, sizes))
