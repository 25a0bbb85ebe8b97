r"""Trains by several methods, at several sparsities, with several seeds.

Gives a table with mean and spread, and plots against sparsity and FLOPs.

Examples:
    tf-rigl sweep --flagfile=configs/sweeps/mnist_lenet.flags
    tf-rigl sweep --model=resnet_18 --methods=dense,set,rigl \
        --sparsities=0.8,0.9 --seeds=5 --epochs=10

`--dry_run` prints what would be trained; `--help` lists all flags. A sweep
that was interrupted goes on when the same command is given again; one with
more methods, sparsities or seeds trains only what is not there yet.
"""

from absl import flags

from tf_rigl.experiments import terminal
from tf_rigl.experiments.sweeps import grid

flags.disclaim_key_flags()


def main() -> None:
    """Parses the command line and runs the sweep."""
    grid.define("runs/sweep")
    terminal.start(_sweep, description=__doc__)


def _sweep() -> int:
    import tensorflow as tf
    from rich import console as consoles

    from tf_rigl.experiments.sweeps import program

    # Accelerators are for the runs, in processes of their own.
    tf.config.set_visible_devices([], "GPU")
    return program.run_flagged(flags.FLAGS, consoles.Console())
