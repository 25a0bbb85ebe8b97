"""Formatting of numbers and shapes for the cells of report tables."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

_SI_PREFIXES = ("", " k", " M", " G", " T", " P", " E", " Z")


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


def si_number(value: float) -> str:
    """Formats a count with three digits and an SI prefix, as in "10.6 k"."""
    power = 0
    # From 999.5 on, a number would round to four digits.
    while abs(value) >= 999.5 and power < len(_SI_PREFIXES) - 1:
        value /= 1000
        power += 1
    return f"{value:.3g}{_SI_PREFIXES[power]}"


def percent(fraction: float | None) -> str:
    """Formats a fraction as a percentage; None becomes ""."""
    return "" if fraction is None else f"{100 * fraction:.2f} %"


def share(part: int, whole: int) -> str:
    """Formats `part / whole` as a percentage, or "" if `whole` is 0."""
    return f"{100 * part / whole:.2f} %" if whole else ""


def shape(sizes: Sequence[int]) -> str:
    """Formats a shape such as "3×3×64"; a scalar's shape becomes ""."""
    return "×".join(map(str, sizes))
