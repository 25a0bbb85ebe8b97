"""Flag files, and the table of experiments that replaces many of them.

`--flagfile=configs/NAME.flags` names a file or an experiment. An experiment is
a row of `configs/experiments.csv` with a base file, the flags in which the
experiments of a family differ, and its published results. absl resolves
included files only from the working directory. Here they are resolved from the
including file as well, so that programs can be started from anywhere.
"""

import csv
import difflib
import functools
import pathlib
import sys
from collections.abc import Iterator
from collections.abc import Sequence

from absl import app
from absl import flags

CONFIGS = pathlib.Path(__file__).parents[1] / "configs"
TABLE = CONFIGS / "experiments.csv"

# The columns of the table that are flags. An empty cell leaves its flag out.
FLAG_COLUMNS = (
    "method",
    "sparsity",
    "distribution",
    "dense_layers",
    "budget",
    "multiplier",
)
_SUFFIX = ".flags"


def parse(arguments: Sequence[str]) -> list[str]:
    """Parses a command line as absl does, with the flag files of this module.

    Returns the positional arguments; exits if a flag is wrong.
    """
    try:
        expanded = expand(arguments)
    except flags.Error as error:
        # The wording of absl's own errors.
        sys.exit(f"FATAL Flags parsing error: {error}")
    return app.parse_flags_with_usage(expanded)


def expand(arguments: Sequence[str]) -> list[str]:
    """Replaces each `--flagfile` by the flags of the file or experiment.

    Returns:
        The command line without `--flagfile`, unchanged after `--`.

    Raises:
        flags.Error: if neither a file nor an experiment has that name, or a
            file includes itself.
    """
    expanded: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            return [*expanded, argument, *rest]

        name = _named_file(argument, rest)
        if name is None:
            expanded.append(argument)
        elif name:
            expanded += _read_named(name, ())
    return expanded


@functools.cache
def read_experiments() -> dict[str, dict[str, str]]:
    """Reads the experiments by name, each with its cells by column."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: row for row in csv.DictReader(stream)}


def _named_file(argument: str, rest: Iterator[str]) -> str | None:
    """Returns the name in `--flagfile`, None for any other argument.

    Takes the name from `rest` if the argument does not include it.
    """
    flag, equals, name = argument.partition("=")
    if flag not in ("--flagfile", "-flagfile"):
        return None

    if not equals:
        name = next(rest, "")
        if not name:
            raise flags.IllegalFlagValueError("--flagfile with no argument")
    return name.strip()


def _read_named(name: str, including: tuple[pathlib.Path, ...]) -> list[str]:
    """Reads the flags of a file or an experiment; see `_read_file`."""
    path = pathlib.Path(name).expanduser()
    inside = _path_in_configs(path)
    beside = [including[-1].parent / path] if including else []
    for candidate in (*beside, path, inside):
        if candidate.is_file():
            # Resolved, so that a circle is found whatever the names.
            return _read_file(candidate.resolve(), including)
        # A pipe, as in `--flagfile=<(...)`, cannot be resolved.
        if candidate.exists() and not candidate.is_dir():
            return _read_file(candidate, including)

    experiment = inside.name.removesuffix(_SUFFIX)
    if inside.parent == CONFIGS and experiment in read_experiments():
        return _read_experiment(experiment)

    close = difflib.get_close_matches(experiment, read_experiments(), n=3)
    raise flags.Error(
        "`flagfile` must be a file, or an experiment of configs/experiments."
        f"csv. Received: flagfile={name!r}. "
        + (f"Close to it: {', '.join(close)}." if close else "See that table.")
    )


def _path_in_configs(path: pathlib.Path) -> pathlib.Path:
    """Maps the path of a file in a folder `configs` to this package's."""
    parts = path.parts
    if CONFIGS.name in parts:
        parts = parts[len(parts) - parts[::-1].index(CONFIGS.name) :]
    return CONFIGS.joinpath(*parts)


def _read_file(
    path: pathlib.Path, including: tuple[pathlib.Path, ...]
) -> list[str]:
    """Reads the flags of a file and of the files that it includes.

    `including` has the files being read, the innermost last.

    Raises:
        flags.Error: if the file includes itself, is not UTF-8, or includes a
            file that does not exist.
    """
    if path in including:
        raise flags.Error(
            "A flag file must not include itself. Received: "
            f"{' includes '.join(map(str, (*including, path)))}. Take one "
            "--flagfile out."
        )

    try:
        # Editors on Windows may write a byte order mark.
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise flags.Error(
            f"A flag file must be text in UTF-8. Received: {path}; {error}."
        ) from error

    found: list[str] = []
    for line in content.splitlines():
        text = line.strip()
        if not text or text.startswith(("#", "//")):
            continue

        # A flag and its value share a line, so there are no further arguments
        # to take. An empty `--flagfile=` is ignored, as on the command line.
        name = _named_file(text, iter(()))
        if name is None:
            found.append(text)
        elif name:
            found += _read_named(name, (*including, path))
    return found


def _read_experiment(name: str) -> list[str]:
    row = read_experiments()[name]
    given = [
        f"--{column}={row[column]}" for column in FLAG_COLUMNS if row[column]
    ]
    base = _read_file(CONFIGS / "base" / (row["base"] + _SUFFIX), ())
    return [*base, *given, f"--output_dir=runs/{name}"]
