"""The program of sweeps, once its flags are parsed: a table and plots."""

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
    """Trains the missing runs of a sweep, or describes it with `--dry_run`.

    Returns:
        The exit code: 0 on success; 1 if a setting is wrong, data is missing
        or a run has failed; 128 + n if signal n has ended the sweep.
    """
    try:
        sweep = grid.read(values)
        points = grid.points(sweep.grid, sweep.base)
        # Data and steps are the same for all runs. Nothing is trained in this
        # process, so it does not set up the strategy.
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
            # Raises before any run if a network does not allow its sparsity.
            costs.count(training.missing, run)
            training.train()
            return training.report()
    except processes.SweepInterrupted as interruption:
        print(
            f"The sweep was {interruption}. The same command resumes it.",
            file=sys.stderr,
        )
        return interruption.exit_code
    except terminal.USER_ERRORS as error:
        return terminal.fail(error)
