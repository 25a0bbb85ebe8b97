r"""Removes channels of networks, and asks whether the weights mattered.

Trains a large network, removes channels at each ratio and trains what is left
in up to four ways: fine-tuned; from new weights, for as many epochs or as many
FLOPs as the large network; and from its own first weights, the ticket. Each
seed is a process of its own. Writes a table with means and deviations, plots
and a page.

Examples:
    tf-rigl compress --model=lenet_5 --data=mnist_small --criterion=l1 \
        --ratios=0.5 --epochs=5 --schedule=constant --seeds=2
    tf-rigl compress --flagfile=configs/compress/cifar10_vgg.flags --jobs=2
    tf-rigl compress --learning_rates=0.1,0.01 --retrain=scratch_e,ticket

`--dry_run` counts without training; `--help` lists all flags. The same command
resumes compressions that were interrupted. With more ratios, ways, seeds or
learning rates, it trains only what is missing.
"""

from absl import flags

from tf_rigl.experiments import terminal
from tf_rigl.experiments.compress import settings

flags.disclaim_key_flags()


def main() -> None:
    """Parses the command line and compresses."""
    settings.FLAGS.define()
    terminal.start(_compress, description=__doc__)


def _compress() -> int:
    import tensorflow as tf
    from rich import console as consoles

    from tf_rigl.experiments.compress import program

    # Accelerators are for the compressions, in processes of their own.
    tf.config.set_visible_devices([], "GPU")
    return program.run_flagged(flags.FLAGS, consoles.Console())
