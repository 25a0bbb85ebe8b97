"""The output of the programs, and what TensorFlow is kept from printing."""

import sys
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from absl import app
from absl import flags
from absl import logging
from rich import console as consoles

FAILURE = 1  # exit code
# What wrong arguments and files raise; anything else is a bug, and its
# traceback is wanted.
USER_ERRORS = (ValueError, ImportError, OSError)


def start(work: Callable[..., int], names: int = 0, usage: str = "") -> None:
    """Parses a command line, runs a program and ends the process.

    The exit code is that of `work`, or 1 where it raises one of `USER_ERRORS`.

    Args:
        work: takes what the command line names after the flags.
        names: how many that are.
        usage: asks for them.
    """

    def main(arguments: list[str]) -> int:
        check_names(arguments, names, usage)
        quieten()
        try:
            return work(*arguments[1:])
        except USER_ERRORS as error:
            return fail(error)

    app.run(main)


def check_names(arguments: list[str], names: int = 0, usage: str = "") -> None:
    """Ends the process unless a command line names as much as it should."""
    if len(arguments) != 1 + names:
        unknown = " ".join(arguments[1:])
        raise app.UsageError(usage or f"Unknown arguments: {unknown}")


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
