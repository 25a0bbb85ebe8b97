"""The program of compressions, once its flags are parsed."""

import pathlib

from absl import flags
from rich import console as consoles

import tf_rigl
from tf_rigl import accounting
from tf_rigl.core import cells
from tf_rigl.core import text_table
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.compress import compressions
from tf_rigl.experiments.compress import cutting
from tf_rigl.experiments.compress import settings
from tf_rigl.experiments.compress import tables
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs.setup import PreparedRun
from tf_rigl.experiments.sweeps import processes

flags.disclaim_key_flags()

_Rows = list[tuple[str, ...]]


def run_flagged(values: flags.FlagValues, console: consoles.Console) -> int:
    """Trains what is missing of compressions, or describes them.

    Returns:
        The exit code: 0 on success; 1 if a setting is wrong, data is missing
        or a compression has failed; 128 + n if signal n has ended the program.
    """
    return processes.to_exit_code(lambda: _run(values, console), "program")


def _run(values: flags.FlagValues, console: consoles.Console) -> int:
    asked = settings.read(values)
    run = setup.prepare_elsewhere(asked.base)
    rows = count(asked, run)
    if asked.options.dry_run:
        describe(asked, run, rows, console)
        return 0

    optional_packages.check_matplotlib()
    path = pathlib.Path(asked.options.output_dir)
    with run_folder.locked(path, "output_dir", "program of compressions"):
        started = compressions.Compressions(asked, run, console)
        started.train()
        return started.report()


def count(asked: settings.Asked, run: PreparedRun) -> _Rows:
    """Cuts the untrained network at random, and counts what is left.

    It shows errors before anything is trained. If channels of all layers
    compete, those of a trained network come from other layers.

    Raises:
        ValueError: if a target cannot be reached, or a criterion has no scores
            for this network.
    """
    if asked.compress.in_low_precision(is_large=True):
        tf_rigl.low_precision(cutting.build_large(run))
    model = cutting.build_large(run)
    if asked.compress.prune_criterion == "bn_scale":
        cutting.prune(run, asked.compress, asked.targets[0], model)

    before = tf_rigl.profile(model)
    rows: _Rows = [
        ("", f"{before.parameters:,}", "", f"{before.macs:,}", "", "")
    ]
    for target in asked.targets:
        found = cutting.prune(run, asked.compress, target, model, "random")
        after = tf_rigl.profile(found.model)
        affords = accounting.scratch_epochs(
            after, run.settings.total_epochs, large=before
        )
        epochs = min(affords, asked.compress.most_epochs or affords)
        rows.append(
            (
                tables.target_text(target.name),
                f"{after.parameters:,}",
                cells.percent(after.parameters / before.parameters),
                f"{after.macs:,}",
                cells.percent(after.macs / before.macs),
                f"{epochs:,}",
            )
        )
    return rows


def describe(
    asked: settings.Asked,
    run: PreparedRun,
    rows: _Rows,
    console: consoles.Console,
) -> None:
    """Prints what will be left, and the trainings."""
    header = ("removed", "parameters", "left", "MACs", "left", "scratch-B")
    caption = "Scratch-B: its epochs."
    if asked.compress.prune_scope == "global":
        caption += " About: training decides which layers lose channels."
    console.print(text_table.TextTable(header, rows, caption=caption))

    write = terminal.printer(console)
    names = [one.name for one in trainings.trainings(asked)]
    points = settings.points(asked)
    write("")
    write(f"Trainings: {', '.join(names)}")
    for point in points:
        write(point.name)
    write(
        f"Compressions: {len(points)}; trainings of each: {len(names)}; epochs "
        f"of the large network: {run.plan.epochs}, of "
        f"{run.plan.per_epoch:,} steps"
    )
