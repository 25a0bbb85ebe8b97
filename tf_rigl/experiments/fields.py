"""Fields of settings, each declared once with its default, rule and help.

Settings are frozen dataclasses with fields made by `field`. `check` applies
the rules, `define_flags` and `read_flags` connect them with the command line,
and `documented` adds them to the docstring.
"""

import dataclasses
import types
import typing
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import TypeVar

from absl import flags

# `--help` lists flags by the module that defines them, which should be the
# program and not this module.
flags.disclaim_key_flags()

_DEFINE: dict[Any, Callable[..., Any]] = {
    bool: flags.DEFINE_bool,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
}

_Class = TypeVar("_Class", bound=type)


class FieldRule(NamedTuple):
    """A condition on the value of one field."""

    holds: Callable[[Any], bool]
    text: str  # completes "`field` must be ..."
    choices: tuple[str, ...] = ()  # all values, if they can be listed


def one_of(values: Iterable[str]) -> FieldRule:
    """Makes the rule that a field is one of the given values."""
    choices = tuple(values)
    return FieldRule(
        choices.__contains__, f"one of {', '.join(choices)}", choices
    )


POSITIVE = FieldRule(lambda value: value > 0, "greater than 0")
AT_LEAST_ONE = FieldRule(lambda value: value >= 1, "at least 1")
NOT_NEGATIVE = FieldRule(lambda value: value >= 0, "at least 0")
FRACTION = FieldRule(lambda value: 0 < value <= 1, "in (0, 1]")
BELOW_ONE = FieldRule(lambda value: 0 <= value < 1, "in [0, 1)")


def field(default: Any, text: str, rule: FieldRule | None = None) -> Any:
    """Declares a field of settings; `text` is its help."""
    return dataclasses.field(
        default=default, metadata={"help": text, "rule": rule}
    )


def rules(owner: Any) -> dict[str, FieldRule]:
    """Returns the rules of settings or their class, by the field's name."""
    return {
        one.name: one.metadata["rule"]
        for one in dataclasses.fields(owner)
        if one.metadata.get("rule") is not None
    }


def check(settings: Any) -> None:
    """Raises a ValueError if a field of settings violates its rule."""
    for name, rule in rules(settings).items():
        value = getattr(settings, name)
        if value is not None and not rule.holds(value):
            raise ValueError(
                f"`{name}` must be {rule.text}. Received: {name}={value!r}."
            )


def documented(owner: _Class) -> _Class:
    """Adds the fields of a dataclass to its docstring."""
    lines = [
        f"    {one.name}: {one.metadata['help']}"
        for one in dataclasses.fields(owner)
    ]
    owner.__doc__ = "\n".join([owner.__doc__ or "", "", "Attributes:", *lines])
    return owner


def define_flags(
    owner: Any,
    values: flags.FlagValues = flags.FLAGS,
    defaults: Mapping[str, Any] | None = None,
    names: Collection[str] | None = None,
) -> None:
    """Defines a flag for each field of settings, or for those in `names`.

    `defaults` has values, by field, that replace the fields' own defaults.
    """
    for one in dataclasses.fields(owner):
        if names is None or one.name in names:
            default = (defaults or {}).get(one.name, one.default)
            _define(one, _type_of(owner, one), default, values)


def read_flags(owner: Any, values: flags.FlagValues = flags.FLAGS) -> Any:
    """Makes settings of the class `owner` from parsed flags.

    Fields without a flag keep their defaults.

    Raises:
        ValueError: if a value violates its rule, or an item of a list of
            numbers is not a number.
    """
    return owner(
        **{
            one.name: _value(
                one.name, _type_of(owner, one), values[one.name].value
            )
            for one in dataclasses.fields(owner)
            if one.name in values
        }
    )


def _type_of(owner: Any, one: dataclasses.Field[Any]) -> Any:
    """Returns the type of a field, `float` for `float | None`."""
    hint = typing.get_type_hints(owner)[one.name]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = set(typing.get_args(hint)) - {types.NoneType}
    return hint


def _define(
    one: dataclasses.Field[Any],
    kind: Any,
    default: Any,
    values: flags.FlagValues,
) -> None:
    name, text = one.name, one.metadata["help"]
    rule = one.metadata["rule"]
    if typing.get_origin(kind) is tuple:
        texts = [f"{x:g}" if isinstance(x, float) else str(x) for x in default]
        flags.DEFINE_list(name, texts, text, flag_values=values)
        return
    if rule is not None and rule.choices:
        flags.DEFINE_enum(
            name, default, list(rule.choices), text, flag_values=values
        )
        return

    define_one = _DEFINE.get(kind, flags.DEFINE_string)
    define_one(name, default, text, flag_values=values)
    if rule is not None:
        flags.register_validator(
            name,
            lambda value: value is None or rule.holds(value),
            f"must be {rule.text}",
            flag_values=values,
        )


def _value(name: str, kind: Any, value: Any) -> Any:
    if typing.get_origin(kind) is not tuple:
        return value
    item, _ = typing.get_args(kind)
    try:
        return tuple(map(item, value))
    except ValueError as error:
        raise ValueError(
            f"`{name}` must be numbers, separated by commas. "
            f"Received: {name}={','.join(value)!r}."
        ) from error
