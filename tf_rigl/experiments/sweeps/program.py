"""What a sweep does once its flags are parsed: a table and plots."""

import dataclasses
import pathlib
import sys

from absl import flags
from rich import console as consoles

from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.sweeps import costs
from tf_rigl.experiments.sweeps import grid
from tf_rigl.experiments.sweeps import processes
from tf_rigl.experiments.sweeps.training import SweepTraining

flags.disclaim_key_flags()


def run_flagged(values: flags.FlagValues, console: consoles.Console) -> int:
    """Trains what is missing of a sweep, or describes it.

    Returns:
        The exit code: 0; 1 if a setting is wrong, data is missing or a run
        has failed; 128 and the number of the signal that ended the sweep.
    """
    try:
        sweep = grid.read(values)
        points = grid.points(sweep.grid, sweep.base)
        # Data and steps are the same for all runs. Where to train is left to
        # their processes: here nothing is trained.
        run = setup.prepare(
            dataclasses.replace(
                points[0].settings, strategy="one_device", devices=0, tpu=""
            )
        )
        if sweep.options.dry_run:
            costs.describe(points, run, console)
            return 0

        optional_packages.check_matplotlib()
        path = pathlib.Path(sweep.options.output_dir)
        with run_folder.locked(path, "output_dir", "sweep"):
            training = SweepTraining(sweep, points, run, console)
            # So that a network that cannot be as sparse shows before any run.
            costs.count(training.missing, run)
            training.train()
            return training.report()
    except processes.SweepInterrupted as interruption:
        print(
            f"The sweep was {interruption}. The same command goes on.",
            file=sys.stderr,
        )
        return interruption.exit_code
    except terminal.USER_ERRORS as error:
        return terminal.fail(error)
