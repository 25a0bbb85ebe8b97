"""The command-line flags of a sweep: those of a run, and what it varies.

A program calls `define` before absl parses the command line; `sweep` after
it.
"""

from typing import NamedTuple

from absl import flags

from tf_rigl.experiments import fields
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
    """Defines the flags of a run, and those of a sweep."""
    run_flags.define({"export": False}, output_dir, values)
    fields.define_flags(Grid, values)

    flags.DEFINE_integer(
        "jobs",
        1,
        "Runs at once; each gets its share of the processor's cores.",
        lower_bound=1,
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

    Raises:
        ValueError: if values break a rule.
    """
    for one, several in _SEVERAL.items():
        if values[one].present:
            raise ValueError(
                f"A sweep takes --{several} in place of --{one}. Received: "
                f"--{one}={values[one].value}. Give --{several} instead."
            )
    if values.strategy not in _STRATEGIES:
        raise ValueError(
            "A sweep trains on one machine: `strategy` must be one of "
            f"{', '.join(_STRATEGIES)}. Received: "
            f"strategy={values.strategy!r}. Start such runs one by one."
        )

    return Sweep(
        fields.read_flags(Grid, values),
        run_flags.settings(values),
        run_flags.options(values),
        values.jobs,
        values.output_dir,
        values.results_dir or values.output_dir,
    )
