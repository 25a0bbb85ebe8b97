"""The page of all flags, `docs/flags.md`, made of the flags themselves.

`python -m tools.flags_page` writes the tables between the two comments of the
page that mark their place.
"""

import dataclasses
import importlib
import pathlib
import re
from collections.abc import Iterable
from typing import Any
from unittest import mock

from absl import flags

from tf_rigl.experiments import commands
from tf_rigl.experiments import fields
from tf_rigl.experiments import terminal
from tf_rigl.experiments.benchmark.settings import BenchmarkSettings
from tf_rigl.experiments.compress.settings import CompressSettings
from tf_rigl.experiments.export_settings import ExportSettings
from tf_rigl.experiments.process_sets.grid import ProcessGrid
from tf_rigl.experiments.runs import settings
from tf_rigl.experiments.sweeps.grid import Grid
from tf_rigl.experiments.tickets.settings import SearchSettings
from tf_rigl.experiments.wann.settings import WannSettings
from tools import flags_guide
from tools import marked

PAGE = pathlib.Path(__file__).resolve().parents[1] / "docs" / "flags.md"
MARK = "flags"
_HEADER = ("flag", "default", "what it does")
# Flags of `train` that a sweep takes no value of.
_NOT_OF_SWEEPS = ("method", "sparsity", "seed", "compare_dense")
_OWNERS = (
    # First, as its seed may be larger than that of `train`.
    WannSettings,
    settings.RunSettings,
    settings.RunOptions,
    Grid,
    SearchSettings,
    ProcessGrid,
    CompressSettings,
    ExportSettings,
    BenchmarkSettings,
)
_WITH_RULES = (
    "train",
    "sweep",
    "tickets",
    "compress",
    "wann",
    "export",
    "benchmark",
)


def render() -> str:
    """Returns the tables of all commands, as Markdown.

    Raises:
        ValueError: if the guide lacks a flag of `train`, or has another one.
    """
    train = flags_of("train")
    guided = [name for group in flags_guide.TRAIN.values() for name in group]
    if sorted(guided) != sorted(train):
        raise ValueError(
            "The guide must have each flag of `train` once. Received: "
            f"{sorted(set(guided) ^ set(train)) or 'duplicates'}. Change "
            "tools/flags_guide.py."
        )

    parts = ["## `tf-rigl train`"]
    for title, group in flags_guide.TRAIN.items():
        rows = [
            (*_cells(train[name], "train"), when)
            for name, when in group.items()
        ]
        parts += [f"### {title}", _table((*_HEADER, "when to change it"), rows)]
    for command in commands.COMMANDS:
        if command != "train":
            parts += [f"## `tf-rigl {command}`", *_command(command, train)]
    return "\n\n".join(parts)


def flags_of(command: str) -> dict[str, flags.Flag]:
    """Returns the flags that a command defines, by name."""
    before = set(flags.FLAGS)
    try:
        with mock.patch.object(terminal, "start"):
            importlib.import_module(f"{commands.__name__}.{command}").main()
        return {
            name: flags.FLAGS[name]
            for name in flags.FLAGS
            if name not in before
        }
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)


def main() -> None:
    """Writes the tables into the page."""
    marked.replace(PAGE, MARK, render())


def _command(command: str, train: dict[str, flags.Flag]) -> list[str]:
    """Returns the parts about a command: what it shares, and a table."""
    found = flags_of(command)
    shared = [
        name
        for name, flag in found.items()
        if name in train and flag.help == train[name].help
    ]
    parts = []
    if command == "sweep":
        taken = f"All flags of `train` but {_names(_NOT_OF_SWEEPS)}"
        shared = [name for name in shared if name not in _NOT_OF_SWEEPS]
        parts = [f"{taken}{_other_defaults(shared, found, train)}"]
    elif shared:
        taken = f"Flags of `train`: {_names(shared)}"
        parts = [f"{taken}{_other_defaults(shared, found, train)}"]
    own = [
        _cells(flag, command)
        for name, flag in found.items()
        if name not in train or flag.help != train[name].help
    ]
    return [*parts, _table(_HEADER, own)]


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`--{name}`" for name in names)


def _other_defaults(
    shared: list[str],
    found: dict[str, flags.Flag],
    train: dict[str, flags.Flag],
) -> str:
    """Returns the end of a sentence about flags that `train` has, too."""
    if all(found[name].default is None for name in shared):
        return "; by default they are those of the run. Of its own:"
    other = {
        name: found[name]
        for name in shared
        if found[name].default != train[name].default
    }
    if not other:
        return ". Of its own:"
    defaults = ", ".join(
        f"`--{'' if flag.default else 'no'}{name}`"
        if isinstance(flag.default, bool)
        else f"`--{name}={_text(flag.default)}`"
        for name, flag in other.items()
    )
    return f"; by default {defaults}. Of its own:"


def _cells(flag: flags.Flag, command: str) -> tuple[str, str, str]:
    return f"`--{flag.name}`", _default(flag), _meaning(flag, command)


def _default(flag: flags.Flag) -> str:
    value = flag.default
    if value is None or value == "" or value == []:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{_text(value)}`"


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _meaning(flag: flags.Flag, command: str) -> str:
    # absl puts the choices before the help of a flag that has some.
    text = re.sub(r"^<.*?>: ", "", flag.help)
    choices = getattr(flag.parser, "enum_values", None)
    rule = _rules().get(flag.name)
    if choices:
        text += f" One of {', '.join(f'`{one}`' for one in choices)}."
    elif rule is not None and command in _WITH_RULES:
        text += f" {rule.text[0].upper()}{rule.text[1:]}."
    return text.replace("|", r"\|").replace(" *", r" \*")


def _rules() -> dict[str, fields.FieldRule]:
    return {
        one.name: rule
        for owner in _OWNERS
        for one in dataclasses.fields(owner)
        if (rule := fields.rules(owner).get(one.name)) is not None
    }


def _table(header: Iterable[Any], rows: Iterable[Iterable[str]]) -> str:
    header = tuple(header)
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
