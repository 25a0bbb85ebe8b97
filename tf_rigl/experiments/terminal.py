"""The output of the programs, and what TensorFlow is kept from printing."""

import sys
from typing import Any

import tensorflow as tf
from absl import flags
from absl import logging
from rich import console as consoles

FAILURE = 1  # exit code
# What wrong arguments and files raise; anything else is a bug, and its
# traceback is wanted.
USER_ERRORS = (ValueError, ImportError, OSError)


def quieten() -> None:
    """Leaves out what TensorFlow reports of every step of an export."""
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
        tf.get_logger().setLevel("WARNING")


def fail(error: BaseException) -> int:
    """Prints what the user can mend; returns the exit code."""
    print(f"Error: {error}", file=sys.stderr)
    return FAILURE


def printer(console: consoles.Console) -> Any:
    """Returns a function that prints text as it is.

    There are no markup and no colors in it, and paths are not folded.
    """

    def write(text: str, **unused: Any) -> None:
        del unused  # Keras passes `line_break`
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    return write
