r"""Searches for lottery tickets: trains, prunes and rewinds, round after round.

Each seed is a search of its own, in a process of its own. Then come the
controls: new values for the masks of a level, or random masks. Writes a table
with means and deviations, plots over the weights left, and a page.

Examples:
    tf-rigl tickets --seeds=2 --rounds=9
    tf-rigl tickets --flagfile=configs/tickets/mnist_lenet.flags --jobs=2
    tf-rigl tickets --rewind_step=500 --learning_rates=0.1,0.01 \
        --optimizer=sgd

`--dry_run` lists the levels without training; `--help` lists all flags. The
same command resumes searches that were interrupted. With more rounds, controls,
seeds or learning rates, it trains only what is missing.
"""

from absl import flags

from tf_rigl.experiments import terminal
from tf_rigl.experiments.tickets import settings

flags.disclaim_key_flags()


def main() -> None:
    """Parses the command line and searches."""
    settings.FLAGS.define()
    terminal.start(_search, description=__doc__)


def _search() -> int:
    import tensorflow as tf
    from rich import console as consoles

    from tf_rigl.experiments.tickets import program

    # Accelerators are for the searches, in processes of their own.
    tf.config.set_visible_devices([], "GPU")
    return program.run_flagged(flags.FLAGS, consoles.Console())
