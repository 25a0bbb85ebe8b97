"""Trains one search, as `tf-rigl tickets` starts it for each seed."""

import os

from absl import flags

from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import __main__ as runner
from tf_rigl.experiments.tickets import settings

flags.disclaim_key_flags()


def main() -> None:
    """Parses the command line and trains."""
    settings.FLAGS.define_one()
    terminal.start(_search, description=__doc__)


def _search() -> int:
    from rich import console as consoles

    from tf_rigl.experiments.tickets import search

    search.run_search(settings.read(), consoles.Console())
    return 0


if __name__ == "__main__":
    if os.environ.get(runner.FOLLOWS_STDIN):
        runner.follow_stdin()
    main()
