"""The runs of a sweep, methods × sparsities × seeds, and its flags.

A program calls `define` before absl parses the command line, and `read` after.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments import methods as known_methods
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import RunSettings

# `--help` should list these flags as those of the program.
flags.disclaim_key_flags()

# Flags of a single run, which a sweep does not take, and its own instead.
_REPLACED_FLAGS = {
    "method": "methods",
    "sparsity": "sparsities",
    "seed": "seeds",
    "compare_dense": "methods=dense,...",
}
# The strategies for which the flags of a process suffice, without TF_CONFIG.
_STRATEGIES = ("one_device", "mirrored", "tpu")

Case = tuple[str, float]  # a method and a sparsity


class Point(NamedTuple):
    """One run of a sweep."""

    name: str  # the name of its folder, as in "rigl_0.95_s2"
    settings: RunSettings

    @property
    def case(self) -> Case:
        """The method and sparsity, which runs of different seeds share."""
        return self.settings.method, self.settings.sparsity


@fields.documented
@dataclasses.dataclass(frozen=True)
class Grid:
    """Methods, sparsities and seeds of a sweep, and options to run it.

    Methods without a sparsity, such as dense, are trained once for each seed.

    Raises:
        ValueError: if a list is empty or has duplicates, or a value is
            unknown or out of range.
    """

    methods: tuple[str, ...] = fields.field(
        ("dense", "static", "set", "rigl", "pruning"),
        "Training methods, each run for all --sparsities and --seeds.",
    )
    sparsities: tuple[float, ...] = fields.field(
        (0.8, 0.9, 0.95),
        "Fractions of zeros in the masked weights.",
    )
    seeds: int = fields.field(
        3, "Number of runs of each: seeds 0, 1, ...", fields.AT_LEAST_ONE
    )
    training_flops: float = fields.field(
        0.0,
        "What each run may cost, as a fraction of the training FLOPs of the "
        "dense network in --epochs; the epochs of each method follow. If 0, "
        "all runs have --epochs.",
        fields.NOT_NEGATIVE,
    )
    jobs: int = fields.field(
        1,
        "Number of runs at once; each gets its share of the CPU cores.",
        fields.AT_LEAST_ONE,
    )
    results_dir: str | None = fields.field(
        None,
        "Folder of results.jsonl, table.md and the plots; --output_dir if "
        "unset.",
    )

    def __post_init__(self) -> None:
        fields.check(self)
        rules = fields.rules(RunSettings)
        check_list("methods", self.methods, rules["method"])
        if any(map(has_sparsity, self.methods)) or self.sparsities:
            check_list("sparsities", self.sparsities, rules["sparsity"])


class Sweep(NamedTuple):
    """The sweep that the flags ask for."""

    grid: Grid
    base: RunSettings  # the settings of every run, which the grid varies
    options: RunOptions


def define(output_dir: str, values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of a run, and those of a sweep."""
    run_flags.define({"export": False, "output_dir": output_dir}, values)
    fields.define_flags(Grid, values)


def read(values: flags.FlagValues = flags.FLAGS) -> Sweep:
    """Makes the sweep that the parsed flags ask for.

    Raises:
        ValueError: if a value violates its rule, or a flag is not for sweeps.
    """
    for one, several in _REPLACED_FLAGS.items():
        if values[one].present:
            raise ValueError(
                f"A sweep takes --{several} in place of --{one}. Received: "
                f"--{one}={values[one].value}. Give --{several} instead."
            )
    check_strategy("A sweep", values.strategy)

    return Sweep(
        fields.read_flags(Grid, values),
        run_flags.settings(values),
        run_flags.options(values),
    )


def check_strategy(who: str, strategy: str) -> None:
    """Raises a ValueError unless a process finds its devices by flags alone."""
    if strategy not in _STRATEGIES:
        raise ValueError(
            f"{who} trains on one machine: `strategy` must be one of "
            f"{', '.join(_STRATEGIES)}. Received: strategy={strategy!r}. "
            "Start such runs one by one."
        )


def has_sparsity(method: str) -> bool:
    """Returns whether a method depends on a sparsity."""
    chosen = known_methods.find(method)
    return chosen.is_sparse or chosen.small


def points(grid: Grid, base: RunSettings) -> list[Point]:
    """Lists the runs of a sweep in the order of their seeds."""
    return [
        Point(
            name,
            dataclasses.replace(
                base, method=method, sparsity=sparsity, seed=seed
            ),
        )
        for name, method, sparsity, seed in combinations(
            grid.methods, grid.sparsities, range(grid.seeds)
        )
    ]


def combinations(
    methods: Sequence[str], sparsities: Sequence[float], seeds: Sequence[int]
) -> Iterator[tuple[str, str, float, int]]:
    """Yields name, method, sparsity and seed of each run, seed by seed.

    Methods without a sparsity have one run for each seed, at 0.
    """
    for seed, method in itertools.product(seeds, methods):
        sparse = has_sparsity(method)
        for sparsity in sparsities if sparse else (0.0,):
            case = f"{method}_{sparsity}" if sparse else method
            yield f"{case}_s{seed}", method, sparsity, seed


def check_list(name: str, items: Sequence[Any], rule: fields.FieldRule) -> None:
    """Raises a ValueError unless a list has items, all right and different."""
    received = f"Received: {name}={','.join(map(str, items))!r}."
    if not items:
        raise ValueError(f"`{name}` must name at least one. {received}")
    wrong = [item for item in items if not rule.holds(item)]
    if wrong:
        raise ValueError(
            f"Each of `{name}` must be {rule.text}. {received} Change "
            f"{', '.join(map(repr, wrong))}."
        )
    if len(set(items)) < len(items):
        raise ValueError(f"`{name}` must differ from each other. {received}")
