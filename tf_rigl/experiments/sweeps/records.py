"""What the runs of a sweep gave: a line for each, and means over seeds."""

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
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.settings import to_json
from tf_rigl.experiments.sweeps import grid as grids

# Imported above, so that who runs it depends on it.
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
# These are true of one machine only.
_OF_A_MACHINE: dict[str, Any] = {"data_dir": None, "download": False, "tpu": ""}

Record = Mapping[str, Any]  # a line of results.jsonl


class Spread(NamedTuple):
    """One measure over seeds."""

    runs: int
    mean: float
    deviation: float | None  # of the sample; None of one run
    lowest: float
    highest: float


class SummaryRow(NamedTuple):
    """The runs of one method at one sparsity.

    Sizes and FLOPs are means over the runs. FLOPs are shares of the dense
    network's; None where only small-dense networks were trained, from which
    those can't be told.
    """

    method: str
    sparsity: float | None  # None of methods that have none
    headline: Spread
    nonzeros: float
    packed_bytes: float
    inference: float | None
    training: float | None

    @property
    def label(self) -> str:
        """The method with its sparsity, as in "RigL 90 %"."""
        return methods.label(self.method, self.sparsity or 0.0)


class SweepSummary(NamedTuple):
    """All runs of a sweep so far."""

    headline: str  # a measure
    rows: tuple[SummaryRow, ...]  # by sparsity, and the best first

    @property
    def higher_is_better(self) -> bool:
        """Returns whether the headline measure is an accuracy."""
        return formatting.is_accuracy(self.headline)


def make_record(
    point: grids.Point, results: Mapping[str, Any]
) -> dict[str, Any]:
    """Makes one line of `results.jsonl`.

    Returns:
        Plain JSON values, without what is true of one machine only.
    """
    settings = to_json(_anywhere(point.settings))
    return {
        "name": point.name,
        "command": run_command(point),
        "settings": {
            name: value
            for name, value in settings.items()
            if name not in _OF_A_MACHINE
        },
        **{name: results[name] for name in _COPIED},
    }


def run_command(point: grids.Point) -> str:
    """Writes the command that repeats a run whose data is in its place."""
    arguments = run_flags.to_arguments(_anywhere(point.settings))
    return shlex.join(
        [
            *("python", "-m", RUNNER),
            *arguments,
            f"--output_dir=runs/{point.name}",
        ]
    )


def sweep_command(grid: grids.Grid, base: RunSettings) -> str:
    """Writes the command that repeats a sweep, likewise."""
    default = RunSettings()
    varied = {
        name: getattr(default, name) for name in ("method", "sparsity", "seed")
    }
    common = dataclasses.replace(_anywhere(base), **varied)
    return shlex.join(
        [
            *("python", "bin/sweep.py"),
            *run_flags.to_arguments(common),
            f"--methods={','.join(grid.methods)}",
            f"--sparsities={','.join(map(str, grid.sparsities))}",
            f"--seeds={grid.seeds}",
        ]
    )


def spread(values: Sequence[float]) -> Spread:
    """Summarizes a measure."""
    return Spread(
        len(values),
        statistics.fmean(values),
        statistics.stdev(values) if len(values) > 1 else None,
        min(values),
        max(values),
    )


def summarize(records: Sequence[Record]) -> SweepSummary:
    """Groups runs by method and sparsity.

    Returns:
        Their summary. Methods without a sparsity come first.
    """
    headline = records[0]["headline"]
    # Of one example, which masked networks know and narrow ones do not.
    dense_flops = next(
        (
            record["profile"]["dense_flops"]
            for record in records
            if not methods.METHODS[record["settings"]["method"]].small
        ),
        None,
    )
    groups: dict[tuple[str, float], list[Record]] = {}
    for record in records:
        settings = record["settings"]
        case = settings["method"], settings["sparsity"]
        groups.setdefault(case, []).append(record)

    sign = -1 if formatting.is_accuracy(headline) else 1
    rows = [
        _row(method, sparsity, group, headline, dense_flops)
        for (method, sparsity), group in groups.items()
    ]
    rows.sort(key=lambda row: (row.sparsity or 0.0, sign * row.headline.mean))
    return SweepSummary(headline, tuple(rows))


def training_share(
    training_flops: float, examples: int, dense_flops: float
) -> float:
    """Returns the FLOPs of a run as a share of those of dense training."""
    dense = accounting.training_flops("dense", dense_flops, dense_flops)
    return training_flops / (examples * dense)


def _anywhere(settings: RunSettings) -> RunSettings:
    return dataclasses.replace(settings, **_OF_A_MACHINE)


def _row(
    method: str,
    sparsity: float,
    group: Sequence[Record],
    headline: str,
    dense_flops: float | None,
) -> SummaryRow:
    inference = training = None
    if dense_flops:
        flops = [one["profile"]["flops"] for one in group]
        inference = statistics.fmean(flops) / dense_flops
        training = statistics.fmean(
            training_share(
                one["training_flops"], one["examples_seen"], dense_flops
            )
            for one in group
        )

    return SummaryRow(
        method,
        sparsity if grids.has_sparsity(method) else None,
        spread([one["measures"][headline] for one in group]),
        statistics.fmean(one["profile"]["nonzeros"] for one in group),
        statistics.fmean(one["profile"]["bytes"] for one in group),
        inference,
        training,
    )
