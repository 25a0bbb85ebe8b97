"""Checks and scaling of layer sizes, shared by all builders."""

from collections.abc import Sequence


def check_size(classes: int, width: float) -> None:
    """Raises a ValueError unless `classes` and `width` are positive."""
    if not width > 0:
        raise ValueError(
            f"`width` must be greater than 0. Received: width={width}."
        )
    if classes < 1:
        raise ValueError(
            f"`classes` must be positive. Received: classes={classes}."
        )


def check_fraction(name: str, value: float) -> None:
    """Raises a ValueError unless `value` is a dropout rate in [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(
            f"`{name}` must be in [0, 1). Received: {name}={value}."
        )


def check_units(hidden_units: Sequence[int]) -> None:
    """Raises a ValueError unless all widths of layers are positive."""
    if any(units < 1 for units in hidden_units):
        raise ValueError(
            "All `hidden_units` must be positive. "
            f"Received: hidden_units={tuple(hidden_units)}."
        )


def narrow(units: int, width: float, least: int = 1) -> int:
    """Scales a layer's units by `width`, but not below min(units, least)."""
    return max(min(units, least), round(width * units))
