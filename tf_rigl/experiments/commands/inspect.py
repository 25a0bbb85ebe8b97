r"""Prints the weights in a SavedModel, a .keras or a .tflite file.

For each weight, shows its shape, dtype, encoding, sparsity and size in bytes,
and a histogram of its kept values. --json prints the numbers.

Example:
    tf-rigl inspect runs/mnist_quickstart/saved_model --picture=weights.png
"""

import json
import pathlib

from absl import flags

from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal

flags.disclaim_key_flags()


def main() -> None:
    """Parses the command line and prints the table."""
    flags.DEFINE_string("picture", "", "PNG file for a picture.")
    flags.DEFINE_bool("json", False, "Print JSON in place of a table.")
    flags.DEFINE_list(
        "imports", [], "Modules that register the layers of a .keras file."
    )
    terminal.start(
        inspect,
        1,
        "Name one file or folder, after the flags.",
        description=__doc__,
    )


def inspect(path: str) -> int:
    """Prints the table, and draws the picture if asked for."""
    from tf_rigl.experiments import inspection

    picture = flags.FLAGS.picture
    if picture:
        optional_packages.check_matplotlib()
    report = inspection.inspect_file(path, flags.FLAGS.imports)
    print(json.dumps(report.to_dict()) if flags.FLAGS.json else report)

    if picture:
        from tf_rigl.experiments import weight_pictures

        weight_pictures.draw_file(pathlib.Path(picture), report)
        if not flags.FLAGS.json:
            print(f"picture: {picture}")
    return 0
