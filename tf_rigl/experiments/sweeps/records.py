"""Records of the runs of a sweep, which can be repeated anywhere."""

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any

from tf_rigl.experiments.runs import __main__ as runner
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.runs.settings import to_json
from tf_rigl.experiments.sweeps.grid import Grid
from tf_rigl.experiments.sweeps.grid import Point

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


def make_record(point: Point, results: Mapping[str, Any]) -> dict[str, Any]:
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


def run_command(point: Point) -> str:
    """Writes the command that repeats a run whose data is in its place."""
    arguments = run_flags.to_arguments(_anywhere(point.settings))
    return shlex.join(
        [
            *("python", "-m", RUNNER),
            *arguments,
            f"--output_dir=runs/{point.name}",
        ]
    )


def sweep_command(grid: Grid, base: RunSettings) -> str:
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


def _anywhere(settings: RunSettings) -> RunSettings:
    return dataclasses.replace(settings, **_OF_A_MACHINE)
