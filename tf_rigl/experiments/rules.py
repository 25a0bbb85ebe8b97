"""The rules that settings must meet, one for each field."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple


class Rule(NamedTuple):
    """What the value of one field must satisfy."""

    holds: Callable[[Any], bool]
    text: str  # completes "`field` must be ..."


def one_of(values: Any) -> Rule:
    """The rule of a field that names a member of a collection."""
    return Rule(values.__contains__, f"one of {', '.join(values)}")


POSITIVE = Rule(lambda value: value > 0, "greater than 0")
AT_LEAST_ONE = Rule(lambda value: value >= 1, "at least 1")
NOT_NEGATIVE = Rule(lambda value: value >= 0, "at least 0")
FRACTION = Rule(lambda value: 0 < value <= 1, "in (0, 1]")
BELOW_ONE = Rule(lambda value: 0 <= value < 1, "in [0, 1)")


def check_fields(settings: Any, rules: Mapping[str, Rule]) -> None:
    """Raises a ValueError where a field of settings breaks its rule.

    Args:
        settings: An object with the fields.
        rules: By field.
    """
    for name, rule in rules.items():
        value = getattr(settings, name)
        if not rule.holds(value):
            raise ValueError(
                f"`{name}` must be {rule.text}. Received: {name}={value!r}."
            )
