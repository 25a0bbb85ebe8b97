r"""Trains a network by several methods, sparsities and seeds.

Writes a table with means and deviations, and plots over sparsity and FLOPs.

Examples:
    tf-rigl sweep --flagfile=configs/sweeps/mnist_lenet.flags
    tf-rigl sweep --model=resnet_18 --methods=dense,set,rigl \
        --sparsities=0.8,0.9 --seeds=5 --epochs=10

`--dry_run` describes the sweep without training; `--help` lists all flags. The
same command resumes a sweep that was interrupted. With more methods,
sparsities or seeds, it trains only the missing runs.
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
