"""The program of ticket searches, once its flags are parsed."""

import pathlib
import warnings

from absl import flags
from rich import console as consoles

import tf_rigl
from tf_rigl.core import cells
from tf_rigl.core import text_table
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import processes
from tf_rigl.experiments.tickets import progress
from tf_rigl.experiments.tickets import searches
from tf_rigl.experiments.tickets import settings
from tf_rigl.masking.masked_weight import require_masked_weights
from tf_rigl.updating import pruning_rates

flags.disclaim_key_flags()


def run_flagged(values: flags.FlagValues, console: consoles.Console) -> int:
    """Trains what is missing of searches, or describes them by `--dry_run`.

    Returns:
        The exit code: 0 on success; 1 if a setting is wrong, data is missing
        or a search has failed; 128 + n if signal n has ended the program.
    """
    return processes.to_exit_code(lambda: _run(values, console), "program")


def _run(values: flags.FlagValues, console: consoles.Console) -> int:
    asked = settings.read(values)
    run = setup.prepare_elsewhere(asked.base)
    model = setup.build_compiled(run)
    pruning_rates.rates_by_path(model, asked.search.rates())
    if asked.options.dry_run:
        describe(asked, run, model, console)
        return 0

    optional_packages.check_matplotlib()
    path = pathlib.Path(asked.options.output_dir)
    with run_folder.locked(path, "output_dir", "program of searches"):
        started = searches.Searches(asked, run, model, console)
        started.train()
        return started.report()


def describe(
    asked: settings.Asked,
    run: PreparedRun,
    model: object,
    console: consoles.Console,
) -> None:
    """Prints the connections that each level will have, and the steps.

    It prunes the untrained model, which it leaves with the last masks: how
    many connections stay does not depend on their values, but for a global
    scope in single weights.
    """
    weights = require_masked_weights(model)
    size = sum(one.size for one in weights)
    rows = []
    for level in range(asked.search.rounds + 1):
        if level:
            with warnings.catch_warnings():
                # Untrained weights do not tell which would lose all.
                warnings.filterwarnings("ignore", "Layer collapse")
                tf_rigl.prune(
                    model,
                    "magnitude",
                    scope=asked.search.scope,
                    amount=asked.search.prune_rate,
                    rates=asked.search.rates(),
                )
        left = sum(one.num_active() for one in weights)
        rows.append((f"level {level}", f"{left:,}", cells.percent(left / size)))
    console.print(text_table.TextTable(("", "connections", "left"), rows))

    write = terminal.printer(console)
    names = progress.trainings(asked.search)
    points = settings.points(asked)
    one = progress.SearchProgress(
        pathlib.Path(asked.options.output_dir), asked.search, run.plan
    )
    write("")
    for point in points:
        write(f"{point.name}  {len(names)} trainings, {one.total:,} steps")
    write(
        f"Searches: {len(points)}; {len(points) * one.total:,} steps in all; "
        f"validation every {run.plan.per_epoch:,}"
    )
