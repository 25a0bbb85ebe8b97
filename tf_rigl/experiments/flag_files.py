"""Flag files, and the table of experiments that stands in for many of them.

`--flagfile=configs/NAME.flags` names a file or an experiment. An experiment is
a row of `configs/experiments.csv`: a base file, the flags in which experiments
of a family differ, and the figures that were published for it. absl alone
finds the files that a file includes from the working directory only; here they
are found beside the including file, so that programs start from anywhere.
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

# Columns of the table that are flags; a run has those that are not empty.
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

    Returns:
        What is left of it. Ends the process if a flag is wrong.
    """
    try:
        expanded = expand(arguments)
    except flags.Error as error:
        # In absl's words, as for any other flag that is wrong.
        sys.exit(f"FATAL Flags parsing error: {error}")
    return app.parse_flags_with_usage(expanded)


def expand(arguments: Sequence[str]) -> list[str]:
    """Puts the flags of files and experiments where `--flagfile` names them.

    Returns:
        The command line without `--flagfile`. What follows `--` stays as it is.

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
    """Reads the rows of the table of experiments, texts by column, by name."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: row for row in csv.DictReader(stream)}


def _named_file(argument: str, rest: Iterator[str]) -> str | None:
    """Returns what `--flagfile` names, `None` for another argument."""
    flag, equals, name = argument.partition("=")
    if flag not in ("--flagfile", "-flagfile"):
        return None

    if not equals:
        name = next(rest, "")
        if not name:
            raise flags.IllegalFlagValueError("--flagfile with no argument")
    return name.strip()


def _read_named(name: str, including: tuple[pathlib.Path, ...]) -> list[str]:
    """Reads the flags of a file or an experiment.

    `including` are the files that are being read, the innermost last.
    """
    path = pathlib.Path(name).expanduser()
    inside = _path_in_configs(path)
    beside = [including[-1].parent / path] if including else []
    for candidate in (*beside, path, inside):
        if candidate.is_file():
            # Resolved, so that a circle is seen whatever its files are called.
            return _read_file(candidate.resolve(), including)
        # A pipe, as of `--flagfile=<(...)`, has no other name.
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
    """Returns the place in this package of a file in a folder `configs`."""
    parts = path.parts
    if CONFIGS.name in parts:
        parts = parts[len(parts) - parts[::-1].index(CONFIGS.name) :]
    return CONFIGS.joinpath(*parts)


def _read_file(
    path: pathlib.Path, including: tuple[pathlib.Path, ...]
) -> list[str]:
    """Reads the flags of a file and of those that it includes.

    `including` are the files that are being read, the innermost last.

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

        # A flag and its value share a line, so no further argument follows.
        # An empty `--flagfile=` names nothing and is left out, as on the
        # command line.
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
