"""What programs print, and what they keep TensorFlow from printing."""

from typing import Any

import tensorflow as tf
from absl import flags
from absl import logging
from rich import console as consoles


def quieten() -> None:
    """Leaves out what TensorFlow reports of every step of an export."""
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
        tf.get_logger().setLevel("WARNING")


def printer(console: consoles.Console) -> Any:
    """Prints text as it is: no markup, no colors, no folding of paths."""

    def write(text: str, **unused: Any) -> None:
        del unused  # Keras passes `line_break`
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    return write
