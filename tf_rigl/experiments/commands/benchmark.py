r"""Measures latency and memory of models of any format, side by side.

Takes .keras, .tflite and .plan files and folders of SavedModels. Each is run on
the CPU, in a process of its own, and all take turns in each of several rounds.
Prints what they need and how fast they are, compared with the first one, and
whether their outputs are the same. Writes JSON, CSV and a picture.

Examples:
    tf-rigl benchmark dense.keras sparse.tflite
    tf-rigl benchmark dense.tflite sparse.plan --threads=1,2 \
        --batch_sizes=1,8,64 --input=images.npy
"""

from absl import flags

from tf_rigl.experiments import terminal
from tf_rigl.experiments.benchmark import settings

flags.disclaim_key_flags()


def main() -> None:
    """Parses the command line and measures."""
    settings.define()
    terminal.start(
        benchmark,
        1,
        "Name the models: files or folders.",
        description=__doc__,
        more=True,
    )


def benchmark(*paths: str) -> int:
    """Measures the models at some paths."""
    import tensorflow as tf
    from rich import console as consoles

    from tf_rigl.experiments.benchmark import program

    # Models run in processes of their own.
    tf.config.set_visible_devices([], "GPU")
    return program.run(paths, settings.read(), consoles.Console())
