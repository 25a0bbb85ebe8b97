r"""Trains a network by one method, dense or sparse.

Without flags: LeNet-300-100, 90 % sparse, by RigL, on a part of MNIST that
comes with the package.

Examples:
    tf-rigl train --method=set --sparsity=0.95 --compare_dense
    tf-rigl train --model=resnet_18 --data=cifar10 --epochs=100
    tf-rigl train --flagfile=configs/cifar10_wrn_22_2_rigl90.flags

`--dry_run` describes the run without training; `--help` lists all flags. The
same command resumes a run that was killed.
"""

from collections.abc import Mapping
from typing import Any

from absl import flags

from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import flags as run_flags

flags.disclaim_key_flags()

_DEFAULTS = {
    "model": "lenet_300_100",
    "data": "mnist_small",
    "sparsity": 0.9,
    "epochs": 20,
    "learning_rate": 0.2,
}


def main() -> None:
    """Parses the command line and trains."""
    start(_DEFAULTS, "runs/latest", __doc__)


def start(
    defaults: Mapping[str, Any], output_dir: str, description: str | None
) -> None:
    """Parses the command line of a training program and runs it.

    Args:
        defaults: values of settings in place of the general ones.
        output_dir: folder of the run, by default.
        description: what `--help` prints before the flags.
    """
    run_flags.define({**defaults, "output_dir": output_dir})
    # Once it trains, an error is a bug.
    terminal.start(_train, catch=(), description=description)


def _train() -> int:
    from rich import console as consoles

    from tf_rigl.experiments.runs import program

    return program.run_flagged(flags.FLAGS, consoles.Console())
