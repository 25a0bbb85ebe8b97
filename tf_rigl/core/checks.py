"""Argument checks shared by several modules."""

import numbers
from collections.abc import Iterable
from typing import Any


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Raises a ValueError unless `value` is one of `choices`."""
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {choices}. Received: {name}={value!r}."
        )


def check_options(value: Any, cls: type) -> None:
    """Raises a TypeError unless `value` is None or an instance of `cls`."""
    if value is not None and not isinstance(value, cls):
        raise TypeError(
            f"`options` must be a tf_rigl.{cls.__name__}. Received: "
            f"options={value!r}. Pass tf_rigl.{cls.__name__}(...)."
        )


def check_fraction(name: str, value: float, meaning: str) -> None:
    """Raises a ValueError unless 0 <= value <= 1; `meaning` describes it."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= 1:
        raise ValueError(
            f"`{name}` is {meaning} and must be in [0, 1]. "
            f"Received: {name}={value!r}."
        )


def check_at_least(
    name: str, value: float, least: float, meaning: str = "", unit: str = ""
) -> None:
    """Raises a ValueError unless value >= least; `meaning` describes it."""
    if not isinstance(value, numbers.Real) or not value >= least:
        what = f"is {meaning} and must" if meaning else "must"
        raise ValueError(
            f"`{name}` {what} be at least {least}{unit}. "
            f"Received: {name}={value!r}."
        )


def check_integer(name: str, value: int, meaning: str) -> None:
    """Raises a TypeError unless `value` is an integer, of NumPy or not."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"`{name}` must be an integer, {meaning}. "
            f"Received: {name}={value!r}."
        )


def check_above_zero(name: str, value: float) -> None:
    """Raises a ValueError unless value > 0."""
    if not isinstance(value, numbers.Real) or not value > 0:
        raise ValueError(
            f"`{name}` must be greater than 0. Received: {name}={value!r}."
        )


def check_sparsity(sparsity: float, name: str = "sparsity") -> None:
    """Raises a ValueError unless `sparsity` is a fraction in [0, 1)."""
    is_number = isinstance(sparsity, numbers.Real)
    if not is_number or isinstance(sparsity, bool) or not 0 <= sparsity < 1:
        raise ValueError(
            f"`{name}` is the fraction of zeros and must be in [0, 1). "
            f"Received: {name}={sparsity!r}. For 90 % zeros pass 0.9."
        )


def check_positive(name: str, value: int) -> None:
    """Raises a TypeError unless `value` is an int, a ValueError if below 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"`{name}` must be an integer. Received: {name}={value!r}."
        )
    if value < 1:
        raise ValueError(
            f"`{name}` must be at least 1. Received: {name}={value}."
        )


def check_limit(limit: int | None) -> None:
    """Raises a ValueError unless `limit` is a positive int or None."""
    if limit is not None and (
        isinstance(limit, bool) or not isinstance(limit, int) or limit < 1
    ):
        raise ValueError(
            "`max_non_finite_steps` must be a number of steps, at least 1, or "
            f"None for no limit. Received: max_non_finite_steps={limit!r}."
        )
