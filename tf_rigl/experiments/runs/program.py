"""The training programs: flags in, a finished run out.

A program is its defaults and its docstring:

```python
from tf_rigl.experiments.runs import program

if __name__ == "__main__":
    program.start({"model": "wrn_22_2", "data": "cifar10"}, "runs/cifar10")
```
"""

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from absl import app
from absl import flags
from rich import console as consoles

from tf_rigl import accounting
from tf_rigl.backend import atomic_files
from tf_rigl.experiments import cluster
from tf_rigl.experiments import flag_files
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments.formatting import si_number
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import networks
from tf_rigl.experiments.runs import results
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs import tables
from tf_rigl.experiments.runs import train as training
from tf_rigl.experiments.runs.run_folder import RunFolder
from tf_rigl.experiments.runs.setup import Run
from tf_rigl.experiments.runs.train import Options
from tf_rigl.experiments.terminal import printer
from tf_rigl.experiments.terminal import quieten

flags.disclaim_key_flags()

_FAILURE = 1
_DENSE = "dense"  # a method, and the folder of such a run beside another


def start(defaults: Mapping[str, Any], output_dir: str) -> None:
    """Is a training program, from its command line to its exit.

    Args:
        defaults: Values of flags that the program has in place of the general
            ones.
        output_dir: The default folder of its runs.
    """
    run_flags.define(defaults, output_dir)
    app.run(main, flags_parser=flag_files.parse)


def main(arguments: list[str]) -> int:
    """Trains what the flags describe, or goes on with it.

    Args:
        arguments: What is left of the command line: the program's name.

    Returns:
        The exit code: 0, or 1 if the settings are wrong, the data is missing
        or the SavedModel differs from the trained model.
    """
    if len(arguments) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(arguments[1:])}")
    quieten()
    return run_flagged(flags.FLAGS, consoles.Console())


class _Job(NamedTuple):
    """A run that is ready to go on, or has ended."""

    run: Run
    folder: RunFolder
    model: Any  # None where nothing is left to do


def run_flagged(values: flags.FlagValues, console: consoles.Console) -> int:
    """Does what parsed flags ask for.

    Args:
        values: What `flags.define` has defined.
        console: Where to show progress and results.

    Returns:
        The exit code of `main`.
    """
    with contextlib.ExitStack() as stack:
        try:
            if cluster.is_server(values.strategy):
                cluster.serve()
            options = _possible(run_flags.options(values), values)
            runs = _runs(setup.prepare(run_flags.settings(values)), options)
            if values.dry_run:
                describe(runs, console)
                return 0
            jobs = [
                _take(run, values.output_dir, options, stack) for run in runs
            ]
        except (ValueError, ImportError, OSError) as error:
            print(f"Error: {error}", file=sys.stderr)
            return _FAILURE
        records = [_finish(job, options, console) for job in jobs]
    return report(records, console)


def _possible(options: Options, values: flags.FlagValues) -> Options:
    """The options without what is not asked for and not installed."""
    if options.report:
        optional_packages.check_matplotlib()
    if options.tensorboard and values["tensorboard"].present:
        optional_packages.check_tensorboard()
    return dataclasses.replace(
        options,
        tensorboard=options.tensorboard and optional_packages.has_tensorboard(),
    )


def _runs(run: Run, options: Options) -> list[Run]:
    """What to train, in order."""
    if not options.compare_dense:
        return [run]
    if run.settings.method == _DENSE:
        raise ValueError(
            "`compare_dense` needs another method to compare with. Received: "
            "compare_dense=True, method='dense'. Choose a sparse method, or "
            "leave it out."
        )
    settings = dataclasses.replace(run.settings, method=_DENSE)
    return [run._replace(settings=settings), run]


def _take(
    run: Run, output_dir: str, options: Options, stack: contextlib.ExitStack
) -> _Job:
    """Opens the folder of a run and builds its model, as far as it is.

    All that can fail does so here, before any training.
    """
    path = pathlib.Path(output_dir)
    if options.compare_dense and run.settings.method == _DENSE:
        path /= _DENSE
    folder = RunFolder(path, run.strategy.extended.should_checkpoint)
    stack.enter_context(contextlib.closing(folder))
    folder.open(run.settings)
    if is_finished(run, folder, options):
        return _Job(run, folder, None)
    model = setup.build_compiled(run)
    training.check_resumable(run, folder)
    # Here already, so that a damaged checkpoint shows early.
    training.restore(run, model, folder)
    folder.keep_settings(run.settings)
    return _Job(run, folder, model)


def is_finished(run: Run, folder: RunFolder, options: Options) -> bool:
    """Whether there is nothing left to do."""
    trained = training.checkpoints_of(folder, options).step >= run.plan.total
    return trained and folder.is_complete(options.export)


def _finish(
    job: _Job, options: Options, console: consoles.Console
) -> dict[str, Any]:
    """Does what is left of a run: the content of its `results.json`."""
    record = (
        job.folder.read_results()
        if job.model is None
        else execute(job.run, job.model, job.folder, options, console)
    )
    if options.report and job.folder.writes:
        # Matplotlib, which it draws with, is an extra.
        from tf_rigl.experiments.report import page

        page.write_report(job.folder.path, job.folder.report)
    return record


def execute(
    run: Run,
    model: Any,
    folder: RunFolder,
    options: Options,
    console: consoles.Console,
) -> dict[str, Any]:
    """Trains what is left of a run and writes its models and its results.

    Args:
        run: The run.
        model: What `setup.build_compiled` made; trained in place.
        folder: The run's folder, open.
        options: How to go about it.
        console: Where to show progress.

    Returns:
        The content of `results.json`.
    """
    trained = training.train(run, model, folder, options, console)
    files = None
    if options.export:
        files = training.write_model(run, trained, folder)
    record = results.make_record(run, trained, folder, files)
    record["folder"] = str(folder.path)
    if folder.writes:
        atomic_files.write_json(folder.results, record)
    return record


def report(
    records: Sequence[Mapping[str, Any]], console: consoles.Console
) -> int:
    """Prints what runs of one network gave.

    Args:
        records: The content of their `results.json`.
        console: Where to print.

    Returns:
        The exit code: 1 if a SavedModel differs from the trained model.
    """
    write = printer(console)
    console.print(tables.results_table(records))
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
    return 0 if matches else _FAILURE


def describe(runs: Sequence[Run], console: consoles.Console) -> None:
    """Prints the network, connections of each weight, FLOPs and steps."""
    write = printer(console)
    first = runs[0]
    # Without masks, which Keras would count as parameters.
    network = networks.build_dense(first.settings, first.keras, first.task)
    network.summary(line_length=78, print_fn=write)
    for run in runs:
        profile = networks.final_profile(run.settings, run.keras, run.task)
        console.rule(run.settings.label)
        write(str(profile))
        write(str(accounting.micronet(profile)))
        flops = results.training_flops(run, profile)
        write(f"Training FLOPs in all: {si_number(flops)}")
    console.rule()
    plan = first.plan
    write(
        f"{first.info.train_examples:,} examples for training, "
        f"{first.info.evaluation_examples:,} for evaluation"
    )
    write(
        f"{plan.epochs} epochs of {plan.per_epoch:,} steps, {plan.total:,} in "
        f"all; masks stay from step {plan.stop_step:,} on"
    )
    if plan.start_step:
        write(f"Gradual pruning begins at step {plan.start_step:,}")
