"""The command-line flags of a sweep: those of a run, and what it varies.

A program calls `define` before absl parses the command line; `sweep` after
it.
"""

from typing import NamedTuple

from absl import flags

from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.sweeps.grid import Grid

# `--help` lists the flags of the program, which these become.
flags.disclaim_key_flags()

# Each gives one of something that a sweep has several of.
_SEVERAL = {
    "method": "methods",
    "sparsity": "sparsities",
    "seed": "seeds",
    "compare_dense": "methods=dense,...",
}
# Those for which each process can be told by its own flags where to train.
_STRATEGIES = ("one_device", "mirrored", "tpu")


class Sweep(NamedTuple):
    """The sweep that the flags ask for."""

    grid: Grid
    base: RunSettings  # of every run, but for what the grid varies
    options: RunOptions
    jobs: int  # processes at once
    output_dir: str
    results_dir: str


def define(output_dir: str, values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of a run, and those of a sweep.

    Args:
        output_dir: the default of that flag.
        values: where to define them; absl's global flags by default.
    """
    run_flags.define({"export": False}, output_dir, values)
    flags.DEFINE_list(
        "methods",
        ["dense", "static", "set", "rigl", "pruning"],
        "How to train: one run of each, by --sparsities and --seeds.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "sparsities",
        ["0.8", "0.9", "0.95"],
        "Fractions of the masked weights without a connection.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "seeds", 3, "How many runs of each: seeds 0, 1, ...", flag_values=values
    )
    flags.DEFINE_integer(
        "jobs",
        1,
        "Runs at once; each gets its share of the processor's cores.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "results_dir",
        None,
        "Folder of results.jsonl, table.md and the plots; --output_dir if "
        "unset.",
        flag_values=values,
    )


def sweep(values: flags.FlagValues = flags.FLAGS) -> Sweep:
    """Makes the sweep that the parsed flags ask for.

    Args:
        values: parsed flags; absl's global ones by default.

    Raises:
        ValueError: if values break a rule.
    """
    _check_singular(values)
    if values.jobs < 1:
        raise ValueError(
            f"`jobs` must be at least 1. Received: jobs={values.jobs}."
        )
    if values.strategy not in _STRATEGIES:
        raise ValueError(
            "A sweep trains on one machine: `strategy` must be one of "
            f"{', '.join(_STRATEGIES)}. Received: "
            f"strategy={values.strategy!r}. Start such runs one by one."
        )

    return Sweep(
        Grid(
            tuple(values.methods), _fractions(values.sparsities), values.seeds
        ),
        run_flags.settings(values),
        run_flags.options(values),
        values.jobs,
        values.output_dir,
        values.results_dir or values.output_dir,
    )


def _check_singular(values: flags.FlagValues) -> None:
    for one, several in _SEVERAL.items():
        if values[one].present:
            raise ValueError(
                f"A sweep takes --{several} in place of --{one}. Received: "
                f"--{one}={values[one].value}. Give --{several} instead."
            )


def _fractions(texts: list[str]) -> tuple[float, ...]:
    try:
        return tuple(map(float, texts))
    except ValueError as error:
        raise ValueError(
            "`sparsities` must be numbers, separated by commas. "
            f"Received: sparsities={','.join(texts)!r}."
        ) from error
