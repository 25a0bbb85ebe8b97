"""Rounds, statistics, tables and JSON files, which all benchmarks share.

TensorFlow is not imported at the top, so that the parent of measured processes
stays small.
"""

import dataclasses
import functools
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from importlib import metadata
from typing import Any
from typing import TypeVar

from absl import app
from absl import flags
from rich import console as consoles

from tf_rigl.core import text_table
from tf_rigl.experiments.sweeps import processes

Measured = TypeVar("Measured")

STEP_COLUMNS = ["ms", "× dense", "plain, × dense", "update, × plain dense"]

# Listed here for programs that only start processes.
MODELS = ["lenet_300_100", "mobilenet", "resnet50", "gru"]
CONTENDERS = (
    "keras/dense",
    "keras/tf_rigl",
    "tf_keras/dense",
    "tf_keras/tf_rigl",
    "tf_keras/tfmot",
)
# Further ones, which are measured only if they are named.
STEADY = ("keras/steady", "tf_keras/steady")

_PACKAGES = (
    "tensorflow",
    "keras",
    "tf_keras",
    "tensorflow-model-optimization",
    "numpy",
)


def start(
    main: Callable[[], Any],
    define: Callable[[], None],
    rounds: int | None = None,
) -> None:
    """Parses flags, runs a benchmark and writes its results.

    Args:
        main: measures and prints tables; returns the results to write, or
            None.
        define: defines the flags that only this benchmark has.
        rounds: the default number of rounds; None for a benchmark without
            rounds.
    """
    before = set(flags.FLAGS)
    if rounds is not None:
        flags.DEFINE_integer(
            "rounds", rounds, "Number of rounds.", lower_bound=1
        )
        flags.DEFINE_bool("smoke", False, "One round, as short as possible.")
    flags.DEFINE_string("json", "", "JSON file for the results.")
    define()
    own = [name for name in flags.FLAGS if name not in before]

    def run(arguments: list[str]) -> None:
        del arguments
        settings = {name: flags.FLAGS[name].value for name in own}
        print_entries("Settings", settings)
        print_entries("Environment", environment())
        results = main()
        if results is not None:
            write_json(flags.FLAGS.json, settings, results)

    app.run(run)


def chosen(name: str, smoke: Any = 1) -> Any:
    """Returns the value of a flag, or `smoke` with `--smoke`."""
    return smoke if flags.FLAGS.smoke else flags.FLAGS[name].value


@dataclasses.dataclass(frozen=True)
class Summary:
    """The statistics of a figure over several rounds."""

    median: float
    low: float
    high: float

    def __format__(self, number_format: str) -> str:
        """Formats as `1.07 (1.05 to 1.10)`, each number by the format."""
        middle, low, high = (
            format(value, number_format)
            for value in (self.median, self.low, self.high)
        )
        return f"{middle} ({low} to {high})"


def summarize(values: Iterable[float]) -> Summary:
    """Computes the median, the smallest and the largest value."""
    values = list(values)
    return Summary(statistics.median(values), min(values), max(values))


def ratios(of: Sequence[float], to: Sequence[float]) -> Summary:
    """Summarizes the ratios of figures from the same rounds.

    A machine that is slower for a while slows both figures down, so ratios are
    taken within rounds and summarized afterwards.
    """
    return summarize(a / b for a, b in zip(of, to, strict=True))


def alternate(
    contenders: Mapping[str, Callable[[], Measured]],
) -> dict[str, list[Measured]]:
    """Calls all contenders in turn; returns the results of each round."""
    measured: dict[str, list[Measured]] = {name: [] for name in contenders}
    for _ in range(chosen("rounds")):
        for name, run in contenders.items():
            measured[name].append(run())
    return measured


def alternate_timed(
    contenders: Mapping[str, Callable[[], Any]], calls: int = 1
) -> dict[str, list[float]]:
    """Times all contenders in turn; returns the seconds of each round.

    The seconds of a round are the median of `calls` calls.
    """

    def median(run: Callable[[], Any]) -> float:
        return statistics.median(seconds(run) for _ in range(calls))

    return alternate(
        {
            name: functools.partial(median, run)
            for name, run in contenders.items()
        }
    )


def seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def environment() -> dict[str, Any]:
    """Returns the versions and the machine for which the figures hold."""
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in _PACKAGES},
        "machine": platform.machine(),
        "cores": processes.usable_cores(),
    }


def print_entries(title: str, entries: Mapping[str, Any]) -> None:
    text = ", ".join(f"{name} {value}" for name, value in entries.items())
    print(f"{title}: {text}")


def print_table(
    title: str, header: Sequence[str], rows: Iterable[Sequence[str]]
) -> None:
    """Prints a table; all columns but the first are numbers."""
    table = text_table.TextTable(header, list(rows))
    # Wide enough for any table, whatever the terminal or file is.
    console = consoles.Console(width=160)
    console.print(f"\n{title}", highlight=False)
    console.print(table)


def print_ratios(
    title: str,
    measured: Mapping[str, Sequence[float]],
    references: Mapping[str, str],
    unit: str = "ms",
) -> None:
    """Prints the times of contenders and their ratios to others.

    `references` maps a contender to the one it is compared with, by default
    itself. The unit is "ms" or "s".
    """
    scale = 1e3 if unit == "ms" else 1.0
    rows = []
    for name, taken in measured.items():
        reference = references.get(name, name)
        summary = summarize(scale * one for one in taken)
        ratio = ratios(taken, measured[reference])
        rows.append([name, f"{summary:.3f}", f"{ratio:.3f}", reference])
    print_table(
        title, ["", f"median, {unit} (lowest to highest)", "ratio", "to"], rows
    )


def step_cells(
    own: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]]
) -> list[str]:
    """Formats milliseconds and ratios of steps; see `STEP_COLUMNS`.

    Update steps are compared with plain steps of dense training, which has no
    update steps.
    """
    steps = [one["step"] for one in own]
    cells = [f"{1e3 * summarize(steps).median:.2f}"]
    for part, to in (("step", "step"), ("plain", "plain"), ("update", "plain")):
        bases = [one[to] for one in base]
        parts = [one[part] for one in own]
        cells.append(f"{ratios(parts, bases):.3f}" if bases else "")
    return cells


def run_json(program: str, *arguments: str) -> Any:
    """Runs a Python file; returns the JSON in its last line of output."""
    done = subprocess.run(
        [sys.executable, program, *arguments],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def read_lines(path: pathlib.Path) -> list[dict[str, Any]]:
    """Reads the lines of `append_line`; none if there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def append_line(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Appends a line of JSON, whole, so that a kill leaves a readable file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content) + "\n")


def write_json(path: str, settings: Mapping[str, Any], results: Any) -> None:
    """Writes settings, environment and results, if there is a path."""
    if not path:
        return
    # Imports TensorFlow, which is harmless once everything is measured.
    from tf_rigl.backend import atomic_files

    content = {
        "settings": dict(settings),
        "environment": environment(),
        "results": results,
    }
    atomic_files.write_json(path, content)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
