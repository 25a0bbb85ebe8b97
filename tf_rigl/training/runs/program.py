"""The training programs: flags in, a finished run out.

A program is its defaults and its docstring:

```python
from tf_rigl.training.runs import program

if __name__ == "__main__":
    program.start({"model": "wrn_22_2", "data": "cifar10"}, "runs/cifar10")
```
"""

import contextlib
import sys
from collections.abc import Mapping
from typing import Any

from absl import app
from absl import flags
from rich import console as consoles

from tf_rigl import accounting
from tf_rigl.training import artefacts
from tf_rigl.training import cluster
from tf_rigl.training.runs import flags as run_flags
from tf_rigl.training.runs import networks
from tf_rigl.training.runs import results
from tf_rigl.training.runs import setup
from tf_rigl.training.runs import train as training
from tf_rigl.training.runs.run_folder import RunFolder
from tf_rigl.training.runs.setup import Run
from tf_rigl.training.runs.train import Options
from tf_rigl.training.terminal import printer
from tf_rigl.training.terminal import quieten

flags.disclaim_key_flags()

_FAILURE = 1


def start(defaults: Mapping[str, Any], output_dir: str) -> None:
    """Is a training program, from its command line to its exit.

    Args:
        defaults: Values of flags that the program has in place of the general
            ones.
        output_dir: The default folder of its runs.
    """
    run_flags.define(defaults, output_dir)
    app.run(main)


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


def run_flagged(values: flags.FlagValues, console: consoles.Console) -> int:
    """Does what parsed flags ask for.

    Args:
        values: What `flags.define` has defined.
        console: Where to show progress and results.

    Returns:
        The exit code of `main`.
    """
    try:
        if cluster.is_server(values.strategy):
            cluster.serve()
        options = run_flags.options(values)
        run = setup.prepare(run_flags.settings(values))
        if values.dry_run:
            describe(run, console)
            return 0
        folder = RunFolder(
            values.output_dir, run.strategy.extended.should_checkpoint
        )
    except (ValueError, ImportError, OSError) as error:
        return _fail(error)
    with contextlib.closing(folder):
        try:
            folder.open(run.settings)
            if is_finished(run, folder, options):
                return report(folder.read_results(), console)
            model = setup.build_compiled(run)
            training.check_resumable(run, folder)
            # Here already, so that a damaged checkpoint shows early.
            training.restore(run, model, folder)
            folder.keep_settings(run.settings)
        except (ValueError, ImportError, OSError) as error:
            return _fail(error)
        return report(execute(run, model, folder, options, console), console)


def is_finished(run: Run, folder: RunFolder, options: Options) -> bool:
    """Whether there is nothing left to do."""
    trained = training.checkpoints_of(folder, options).step >= run.plan.total
    return trained and folder.is_complete(options.export)


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
        artefacts.write_json(folder.results, record)
    return record


def report(record: Mapping[str, Any], console: consoles.Console) -> int:
    """Prints what a run gave.

    Args:
        record: The content of `results.json`.
        console: Where to print.

    Returns:
        The exit code: 1 if the SavedModel differs from the trained model.
    """
    write = printer(console)
    write(results.results_title(record))
    console.print(results.results_table(record))
    files = record["files"]
    if files:
        verdict = "matches" if files["matches"] else "DIFFERS FROM"
        write(
            f"SavedModel loaded back, {verdict} the trained model: largest "
            f"difference {files['largest_difference']:.1e}"
        )
    write(f"All files: {record['folder']}")
    return 0 if files.get("matches", True) else _FAILURE


def describe(run: Run, console: consoles.Console) -> None:
    """Prints the network, connections of each weight, FLOPs and steps."""
    write = printer(console)
    # Without masks, which Keras would count as parameters.
    network = networks.build_dense(run.settings, run.keras, run.task)
    network.summary(line_length=78, print_fn=write)
    profile = networks.final_profile(run.settings, run.keras, run.task)
    console.rule(run.settings.label)
    write(str(profile))
    write(str(accounting.micronet(profile)))
    flops = results.training_flops(run, profile)
    write(f"Training FLOPs in all: {flops:.3g}")
    console.rule()
    plan = run.plan
    write(
        f"{run.info.train_examples:,} examples for training, "
        f"{run.info.evaluation_examples:,} for evaluation"
    )
    write(
        f"{plan.epochs} epochs of {plan.per_epoch:,} steps, {plan.total:,} in "
        f"all; masks stay from step {plan.stop_step:,} on"
    )


def _fail(error: Exception) -> int:
    print(f"Error: {error}", file=sys.stderr)
    return _FAILURE
