"""`tf-rigl` and `python -m tf_rigl`: the commands of this package."""

import argparse
import sys

from absl import flags

from tf_rigl.experiments import commands
from tf_rigl.version import __version__

if __name__ != "__main__":
    # The console script is the program then; see `commands`.
    flags.disclaim_key_flags()

_DESCRIPTION = """\
Sparse training for Keras and TensorFlow: RigL and its family.

    import tf_rigl
    model = tf_rigl.sparsify(model, sparsity=0.9)
    model.fit(data, callbacks=[tf_rigl.UpdateMasks(tf_rigl.RigL())])

`help(tf_rigl)` lists what there is; README.md and docs/ of the source tell
how to use it. Commands, each with a --help of its own:

"""


def main(arguments: list[str] | None = None) -> None:
    """Runs a command, or prints the description or the version.

    Args:
        arguments: of the command line; None: those of this process.
    """
    parser = argparse.ArgumentParser(
        "tf-rigl",
        usage="%(prog)s [--help] [--version] COMMAND ...",
        description=_DESCRIPTION
        + "\n".join(
            f"    {name:10}{text}" for name, text in commands.COMMANDS.items()
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"tf_rigl {__version__}"
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=list(commands.COMMANDS),
        help=argparse.SUPPRESS,
    )

    given = sys.argv[1:] if arguments is None else arguments
    # What follows the command is for the command.
    command = parser.parse_args(given[:1]).command
    if command is None:
        parser.print_help()
    else:
        commands.run(command, given[1:])


if __name__ == "__main__":
    main()
