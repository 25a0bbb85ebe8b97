"""Checks of arguments that several modules share."""

from collections.abc import Iterable
from typing import Any


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Raises a ValueError unless `value` is one of `choices`."""
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {choices}. Received: {name}={value!r}."
        )


def check_fraction(name: str, value: float, meaning: str) -> None:
    """Raises a ValueError unless 0 <= value <= 1.

    Args:
        name: of the argument.
        value: what was passed.
        meaning: what it is, for the error.
    """
    if not 0 <= value <= 1:
        raise ValueError(
            f"`{name}` is {meaning} and must be in [0, 1]. "
            f"Received: {name}={value}."
        )
