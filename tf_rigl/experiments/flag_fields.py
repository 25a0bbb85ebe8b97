"""Command-line flags made of the fields of settings."""

from collections.abc import Iterable
from typing import Any

from absl import flags

from tf_rigl.experiments.rules import Rule

# `--help` lists the flags of whoever calls.
flags.disclaim_key_flags()


def define_field(
    name: str,
    default: Any,
    text: str,
    values: flags.FlagValues,
    *,
    choices: Iterable[str] | None = None,
    rule: Rule | None = None,
) -> None:
    """Defines the flag of a field.

    Args:
        name: Of the field and the flag.
        default: Its type is the flag's; None for a text.
        text: For `--help`.
        values: Where to define it.
        choices: What the flag may be, for one of several.
        rule: What other values must satisfy; absl checks it.
    """
    if choices is not None:
        flags.DEFINE_enum(
            name, default, list(choices), text, flag_values=values
        )
        return
    define_one = {
        bool: flags.DEFINE_bool,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
    }.get(type(default), flags.DEFINE_string)
    define_one(name, default, text, flag_values=values)
    if rule is not None:
        flags.register_validator(
            name, rule.holds, f"must be {rule.text}", flag_values=values
        )
