"""The program of sweeps, once its flags are parsed: a table and plots."""

import pathlib

from absl import flags
from rich import console as consoles

from tf_rigl.experiments import optional_packages
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.sweeps import budget
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
    return processes.to_exit_code(lambda: _run(values, console), "sweep")


def _run(values: flags.FlagValues, console: consoles.Console) -> int:
    sweep = grid.read(values)
    points = grid.points(sweep.grid, sweep.base)
    # Data, and steps of an epoch, are the same for all runs.
    run = setup.prepare_elsewhere(points[0].settings)
    if share := sweep.grid.training_flops:
        points = budget.at_equal_flops(points, run, share)
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
