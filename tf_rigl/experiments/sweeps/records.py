"""The results of a sweep: a record of each run, and means over seeds."""

import dataclasses
import shlex
import statistics
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from tf_rigl import accounting
from tf_rigl.experiments import formatting
from tf_rigl.experiments import methods
from tf_rigl.experiments.runs import __main__ as runner
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import portable
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.settings import to_json
from tf_rigl.experiments.sweeps import grid as grids

# Named by the imported module, so that build tools see the dependency.
RUNNER = str(runner.__package__)

_COPIED = (
    "headline",
    "measures",
    "steps",
    "epochs",
    "examples_seen",
    "seconds",
    "training_flops",
    "profile",
    "versions",
)
# The keys of a record that the page of a sweep needs.
NEEDED = (
    "settings",
    "headline",
    "measures",
    "epochs",
    "examples_seen",
    "seconds",
    "training_flops",
    "profile",
    "versions",
)
_VARIED = ("method", "sparsity", "seed")  # the settings of a grid

Record = Mapping[str, Any]  # a line of results.jsonl


class Spread(NamedTuple):
    """Statistics of one measure over seeds."""

    runs: int
    mean: float
    deviation: float | None  # sample standard deviation; None for one run
    lowest: float
    highest: float


class SummaryRow(NamedTuple):
    """Statistics of the runs of one method at one sparsity.

    Epochs, sizes and FLOPs are means over the runs. FLOPs are relative to the
    dense network, and None if only small-dense networks were trained, since
    their records do not have the FLOPs of the dense network.
    """

    method: str
    sparsity: float | None  # None for a method without one
    headline: Spread
    epochs: float
    nonzeros: float
    packed_bytes: float
    inference: float | None
    training: float | None

    @property
    def label(self) -> str:
        """The method with its sparsity, as in "RigL 90 %"."""
        return methods.label(self.method, self.sparsity or 0.0)


class SweepSummary(NamedTuple):
    """Statistics of all runs of a sweep so far."""

    headline: str  # the name of the measure in the tables
    rows: tuple[SummaryRow, ...]  # by sparsity, then the best first

    @property
    def has_one_length(self) -> bool:
        """Returns whether all runs were trained for as many epochs."""
        return len({row.epochs for row in self.rows}) <= 1

    @property
    def higher_is_better(self) -> bool:
        """Returns whether the highest headline measure is the best one."""
        return formatting.higher_is_better(self.headline)


def make_record(
    point: grids.Point, results: Mapping[str, Any]
) -> dict[str, Any]:
    """Makes the record of a run, plain JSON values for `results.jsonl`.

    Settings that are only valid on one machine are left out.
    """
    settings = to_json(portable.without_machine(point.settings))
    return {
        "name": point.name,
        "command": run_command(point),
        "settings": {
            name: value
            for name, value in settings.items()
            if name not in portable.PORTABLE
        },
        **{name: results[name] for name in _COPIED},
    }


def shared_settings(base: RunSettings) -> dict[str, Any]:
    """Returns the settings of all runs of a sweep, as plain JSON values.

    Settings that the sweep varies, and those that are only valid on one
    machine, are left out.
    """
    left_out = {*_VARIED, *portable.PORTABLE}
    settings = to_json(base).items()
    return {name: value for name, value in settings if name not in left_out}


def run_command(point: grids.Point) -> str:
    """Returns the command that repeats a run, with the data prepared."""
    arguments = run_flags.to_arguments(portable.without_machine(point.settings))
    return shlex.join(
        [
            *("python", "-m", RUNNER),
            *arguments,
            f"--output_dir=runs/{point.name}",
        ]
    )


def sweep_command(grid: grids.Grid, base: RunSettings) -> str:
    """Returns the command that repeats a sweep, with the data prepared."""
    # Settings that the grid varies go back to their defaults, so that they have
    # no flags of their own.
    default = RunSettings()
    varied = {name: getattr(default, name) for name in _VARIED}
    common = dataclasses.replace(portable.without_machine(base), **varied)
    return shlex.join(
        [
            *("tf-rigl", "sweep"),
            *run_flags.to_arguments(common),
            f"--methods={','.join(grid.methods)}",
            f"--sparsities={','.join(map(str, grid.sparsities))}",
            f"--seeds={grid.seeds}",
            *(
                [f"--training_flops={grid.training_flops}"]
                if grid.training_flops
                else []
            ),
        ]
    )


def spread(values: Sequence[float]) -> Spread:
    """Computes the statistics of a measure's values."""
    return Spread(
        len(values),
        statistics.fmean(values),
        statistics.stdev(values) if len(values) > 1 else None,
        min(values),
        max(values),
    )


def summarize(
    records: Sequence[Record], dense_epochs: int | None = None
) -> SweepSummary:
    """Summarizes runs by method and sparsity.

    Methods without a sparsity come first. Training FLOPs are compared with
    those of the dense network in so many epochs, by default in as many as the
    run itself.
    """
    headline = records[0]["headline"]
    # Small-dense runs count their own narrow network, so ask another method.
    dense_flops = next(
        (
            record["profile"]["dense_flops"]
            for record in records
            if not methods.find(record["settings"]["method"]).small
        ),
        None,
    )
    groups: dict[tuple[str, float], list[Record]] = {}
    for record in records:
        settings = record["settings"]
        case = settings["method"], settings["sparsity"]
        groups.setdefault(case, []).append(record)

    sign = -1 if formatting.higher_is_better(headline) else 1
    rows = [
        _row(method, sparsity, group, headline, dense_flops, dense_epochs)
        for (method, sparsity), group in groups.items()
    ]
    rows.sort(key=lambda row: (row.sparsity or 0.0, sign * row.headline.mean))
    return SweepSummary(headline, tuple(rows))


def training_share(
    training_flops: float, examples: float, dense_flops: float
) -> float:
    """Returns the training FLOPs of a run relative to dense training."""
    dense = accounting.training_flops("dense", dense_flops, dense_flops)
    return training_flops / (examples * dense)


def _row(
    method: str,
    sparsity: float,
    group: Sequence[Record],
    headline: str,
    dense_flops: float | None,
    dense_epochs: int | None,
) -> SummaryRow:
    inference = training = None
    if dense_flops:
        flops = [one["profile"]["flops"] for one in group]
        inference = statistics.fmean(flops) / dense_flops
        training = statistics.fmean(
            training_share(
                one["training_flops"], _examples(one, dense_epochs), dense_flops
            )
            for one in group
        )

    return SummaryRow(
        method,
        sparsity if grids.has_sparsity(method) else None,
        spread([one["measures"][headline] for one in group]),
        statistics.fmean(one["epochs"] for one in group),
        statistics.fmean(one["profile"]["nonzeros"] for one in group),
        statistics.fmean(one["profile"]["bytes"] for one in group),
        inference,
        training,
    )


def _examples(record: Record, epochs: int | None) -> float:
    """Returns the examples of so many epochs, by default those of the run."""
    seen: int = record["examples_seen"]
    return seen if epochs is None else seen * epochs / record["epochs"]
