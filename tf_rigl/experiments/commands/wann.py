r"""Searches for networks that work with any weight that all connections share.

Only the topology is searched: networks are never trained. Each generation is
evaluated with several shared weights and ranked by the mean score and by few
connections. Writes the champion, its scores and pictures.

Examples:
    tf-rigl wann --task=swing_up --generations=200 --workers=2
    tf-rigl wann --flagfile=configs/wann/digits.flags --seed=1

`--help` lists all flags. The same command resumes a search that was
interrupted; with more generations it goes on.
"""

from absl import flags

from tf_rigl.experiments import terminal
from tf_rigl.experiments.wann import settings

flags.disclaim_key_flags()


def main() -> None:
    """Parses the command line and searches."""
    settings.define()
    terminal.start(
        _search,
        description=__doc__,
        catch=(*terminal.USER_ERRORS, RuntimeError),
    )


def _search() -> int:
    import tensorflow as tf
    from rich import console as consoles

    from tf_rigl.experiments.wann import program

    # A search is NumPy's alone.
    tf.config.set_visible_devices([], "GPU")
    return program.run(settings.read(), consoles.Console())
