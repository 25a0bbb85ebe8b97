"""The training programs, once their flags are parsed."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from absl import flags
from rich import console as consoles

from tf_rigl import accounting
from tf_rigl.backend import atomic_files
from tf_rigl.core import text_table
from tf_rigl.experiments import cluster
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.formatting import si_number
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import plan as plans
from tf_rigl.experiments.runs import results
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs import train as training
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.setup import PreparedRun

flags.disclaim_key_flags()

_DENSE = "dense"  # the method, and the folder, of the run to compare with


def run_flagged(values: flags.FlagValues, console: consoles.Console) -> int:
    """Trains the runs of parsed flags, or describes them with `--dry_run`.

    Returns:
        The exit code: 0 on success; 1 if the settings are wrong, the data is
        missing or the SavedModel differs from the trained model.
    """
    with contextlib.ExitStack() as stack:
        try:
            if cluster.is_server(values.strategy):
                cluster.serve()
            options = _installed(run_flags.options(values), values)
            run = setup.prepare(run_flags.settings(values))
            runs = {options.output_dir: run}
            if options.compare_dense:
                dense = os.path.join(options.output_dir, _DENSE)
                runs = {dense: _dense_run(run), **runs}
            if options.dry_run:
                describe(list(runs.values()), console)
                return 0
            ready = [
                _open(run, path, options, stack) for path, run in runs.items()
            ]
        except terminal.USER_ERRORS as error:
            return terminal.fail(error)

        records = [finish(*one, options, console) for one in ready]
    return report(records, console)


def _installed(options: RunOptions, values: flags.FlagValues) -> RunOptions:
    """Checks for optional packages; TensorBoard is needed only on request."""
    if options.report:
        optional_packages.check_report()
    if options.tensorboard and values["tensorboard"].present:
        optional_packages.check_tensorboard()
    return dataclasses.replace(
        options,
        tensorboard=options.tensorboard and optional_packages.has_tensorboard(),
    )


def _dense_run(run: PreparedRun) -> PreparedRun:
    """Returns the run of the dense network that a run is compared with."""
    if run.settings.method == _DENSE:
        raise ValueError(
            "`compare_dense` needs another method to compare with. Received: "
            "compare_dense=True, method='dense'. Choose a sparse method, or "
            "leave it out."
        )
    settings = dataclasses.replace(run.settings, method=_DENSE)
    return run._replace(settings=settings)


def _open(
    run: PreparedRun,
    path: str,
    options: RunOptions,
    stack: contextlib.ExitStack,
) -> tuple[PreparedRun, RunFolder, Any]:
    """Opens the folder of a run and builds its model; None if it is complete.

    Errors of the user show here, before any training.
    """
    folder = RunFolder(path, run.strategy.extended.should_checkpoint)
    stack.enter_context(folder.open(run.settings))

    steps = folder.trained_steps
    if steps >= run.plan.total and folder.is_complete(options.export):
        return run, folder, None

    model = setup.build_compiled(run)
    plans.check_resumable(run.plan, steps, run.settings.steps_per_execution)
    # `fit` restores it again, but a damaged checkpoint should show early.
    training.restore(run, model, folder)
    folder.keep_settings(run.settings)
    return run, folder, model


def finish(
    run: PreparedRun,
    folder: RunFolder,
    model: Any,
    options: RunOptions,
    console: consoles.Console,
    callbacks: Sequence[Any] = (),
) -> dict[str, Any]:
    """Trains the rest of a run and writes its models, results and report.

    `model` is compiled, or None if the run has finished. `callbacks` act
    before those of the run.

    Returns:
        The content of `results.json`.
    """
    if model is None:
        record = folder.read_results()
    else:
        measures, examples = training.train(
            run, model, folder, options, console, callbacks
        )
        files: dict[str, Any] = {}
        if options.export:
            files = training.write_model(run, model, examples, folder)
        record = results.make_record(run, model, measures, folder, files)
        if folder.writes:
            atomic_files.write_json(folder.results, record)

    if options.report and folder.writes:
        # Imported here, since its packages are optional.
        from tf_rigl.experiments.report import page

        page.write_report(folder.path, folder.report)
    return record


def report(
    records: Sequence[Mapping[str, Any]], console: consoles.Console
) -> int:
    """Prints the results of the runs of one network.

    Returns:
        The exit code: 1 if a SavedModel differs from its model, else 0.
    """
    write = terminal.printer(console)
    console.print(results.results_table(records))
    for record in records:
        write(f"\n{record['label']}: all files in {record['folder']}")
        files = record["files"]
        if files:
            verdict = "matches" if files["matches"] else "DIFFERS FROM"
            write(
                f"  SavedModel loaded back, {verdict} the trained model: "
                f"largest difference {files['largest_difference']:.1e}"
            )
        page = pathlib.Path(record["folder"]) / "report.html"
        if page.exists():
            write(f"  report  {page}")

    matches = all(record["files"].get("matches", True) for record in records)
    return 0 if matches else terminal.FAILURE


def describe(runs: Sequence[PreparedRun], console: consoles.Console) -> None:
    """Prints the network, its active connections, FLOPs and steps."""
    write = terminal.printer(console)
    first = runs[0]
    # Built without masks, which Keras would count as parameters.
    network = networks.build_dense(first.settings, first.keras, first.task)
    network.summary(line_length=78, print_fn=lambda text, **_: write(text))

    for run in runs:
        profile = networks.final_profile(run.settings, run.keras, run.task)
        console.rule(run.settings.label)
        write(str(profile))
        write(text_table.paragraph(str(accounting.micronet(profile))))
        flops = results.training_flops(run, profile)
        write(f"Training FLOPs in all: {si_number(flops)}")
    console.rule()

    plan, held_out = first.plan, first.settings.validation_examples
    write(
        f"{first.info.train_examples:,} examples for training, "
        f"{first.info.evaluation_examples:,} for evaluation"
        + (f", {held_out:,} for validation" if held_out else "")
    )
    write(
        f"{plan.epochs} epochs of {plan.per_epoch:,} steps, {plan.total:,} in "
        f"all; masks stay from step {plan.stop_step:,} on"
    )
    if plan.start_step:
        write(f"Gradual pruning begins at step {plan.start_step:,}")
