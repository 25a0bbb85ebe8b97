"""Trains one compression, as `tf-rigl compress` starts it for each seed."""

import os

from absl import flags

from tf_rigl.experiments import terminal
from tf_rigl.experiments.compress import settings
from tf_rigl.experiments.runs import __main__ as runner

flags.disclaim_key_flags()


def main() -> None:
    """Parses the command line and trains."""
    settings.FLAGS.define_one()
    terminal.start(_compress, description=__doc__)


def _compress() -> int:
    from rich import console as consoles

    from tf_rigl.experiments.compress import compression

    compression.run_compression(settings.read(), consoles.Console())
    return 0


if __name__ == "__main__":
    if os.environ.get(runner.FOLLOWS_STDIN):
        runner.follow_stdin()
    main()
