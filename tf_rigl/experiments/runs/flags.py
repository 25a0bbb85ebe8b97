"""The command-line flags of a run, one for each field of its settings.

A program calls `define` with its defaults before absl parses the command line,
and `settings` and `options` after.
"""

import dataclasses
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments import flag_files
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import RunSettings

# `--help` should list these flags as those of the program.
flags.disclaim_key_flags()


def define(
    defaults: Mapping[str, Any] | None = None,
    values: flags.FlagValues = flags.FLAGS,
) -> None:
    """Defines a flag for each field of settings and options.

    `defaults` has values, by field, that replace the general defaults.
    """
    for owner in (RunSettings, RunOptions):
        fields.define_flags(owner, values, defaults)


def base_settings(name: str) -> dict[str, Any]:
    """Returns the settings in a file of `configs/base`, by field."""
    values = flags.FlagValues()
    define(values=values)
    file = flag_files.CONFIGS / "base" / f"{name}.flags"
    values(flag_files.expand(["", f"--flagfile={file}"]))
    return dataclasses.asdict(settings(values))


def settings(values: flags.FlagValues = flags.FLAGS) -> RunSettings:
    """Makes the settings of a run from parsed flags."""
    return fields.read_flags(RunSettings, values)


def options(values: flags.FlagValues = flags.FLAGS) -> RunOptions:
    """Makes the options of a run from parsed flags."""
    return fields.read_flags(RunOptions, values)


def to_arguments(
    *owners: Any,
    defaults: Mapping[str, Any] | None = None,
    names: Collection[str] | None = None,
) -> list[str]:
    """Returns the flags of settings and options that are not the defaults.

    Args:
        *owners: instances of classes whose fields are flags, such as those
            that `settings` and `options` return.
        defaults: the program's defaults, by field, where it replaces those of
            the fields.
        names: the fields that the program has as flags; all by default.
    """
    given = [
        (one.name, getattr(owner, one.name), one.default)
        for owner in owners
        for one in dataclasses.fields(owner)
        if names is None or one.name in names
    ]
    return [
        _argument(name, value)
        for name, value, default in given
        if value != (defaults or {}).get(name, default)
    ]


def _argument(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    return f"--{name}={value}"
