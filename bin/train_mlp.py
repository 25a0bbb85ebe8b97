#!/usr/bin/env python3
"""Trains LeNet-300-100 on MNIST, dense, static sparse or with RigL.

Example:
    python bin/train_mlp.py --flagfile=configs/mnist_small_rigl98.flags

`--dry_run` prints what would be trained; `--help` lists all flags.
"""

import sys

from absl import app
from absl import flags
from rich import console as consoles

from tf_rigl.training import cluster
from tf_rigl.training import flags as training_flags
from tf_rigl.training import job as jobs
from tf_rigl.training import terminal

_FAILURE = 1


def main(arguments: list[str]) -> int:
    """Runs the experiment that the flags describe.

    Args:
        arguments: What is left of the command line: the program's name.

    Returns:
        The exit code: 0, or 1 if the settings are wrong, the data is missing
        or the SavedModel differs from the trained model.
    """
    if len(arguments) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(arguments[1:])}")
    terminal.quieten()
    console = consoles.Console()
    try:
        if cluster.is_server(flags.FLAGS.strategy):
            cluster.serve()
        job = jobs.prepare(training_flags.configuration())
        if flags.FLAGS.dry_run:
            jobs.describe(job, console)
            return 0
        digits = jobs.load_data(job.configuration)
        output_dir = jobs.make_output_dir(flags.FLAGS.output_dir, job)
    except (ValueError, ImportError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return _FAILURE
    return 0 if jobs.run(job, digits, output_dir, console) else _FAILURE


if __name__ == "__main__":
    training_flags.define()
    app.run(main)
