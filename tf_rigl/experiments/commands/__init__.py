"""The commands of `tf-rigl`, which are also those of `python -m tf_rigl`.

Each module is one command: `--help` prints its docstring, and `main` parses the
command line and runs it. The programs in `bin/` of a checkout call the same
functions. Importing TensorFlow takes seconds, so no module imports it before
the flags are parsed; the functions that run a command do.
"""

import importlib
import sys

from absl import flags

# absl lists those flags under `--help` that the program itself defines: the
# first caller that does not disclaim them.
flags.disclaim_key_flags()

# The commands, in the order of a user's work, with a line about each.
COMMANDS = {
    "train": "trains a network by one method",
    "sweep": "trains by several methods, at several sparsities and seeds",
    "tickets": "searches for lottery tickets by pruning and rewinding",
    "compress": "removes channels and trains what is left in several ways",
    "wann": "searches for networks that work with any shared weight",
    "evaluate": "measures a trained or exported network on a data set",
    "export": "writes a compressed SavedModel or a LiteRT file",
    "inspect": "shows the weights that a model or a file holds",
    "profile": "counts what a network costs at a sparsity",
    "benchmark": "compares latency and memory of models of any format",
    "report": "writes a page about a run, a sweep, searches or compressions",
}


def run(command: str, arguments: list[str], program: str = "tf-rigl") -> None:
    """Runs a command and ends the process with its exit code.

    Args:
        command: a key of `COMMANDS`.
        arguments: flags and names, as they follow the command.
        program: what the command line began with.
    """
    # Where absl looks for the name of the program and for its flags.
    sys.argv = [f"{program} {command}", *arguments]
    importlib.import_module(f"{__name__}.{command}").main()
