r"""Prints the costs of an untrained network at a sparsity, layer by layer.

Counts by two conventions: by multiply-accumulates of kernels, with two FLOPs
each, and by that of published tables, which folds normalizations into biases
and also counts biases and ReLUs. --json prints all numbers.

Examples:
    tf-rigl profile --model=resnet_50 --sparsity=0.8
    tf-rigl profile --model=resnet_50 --sparsity=0.9 \
        --distribution=uniform --dense_layers=conv1 --budget=reference \
        --plot=layers.png
"""

import json
import pathlib

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments import keras_modules
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs.settings import RunSettings

flags.disclaim_key_flags()

# The settings that the costs depend on.
_SETTINGS = (
    "model",
    "sparsity",
    "distribution",
    "dense_layers",
    "budget",
    "method",
    "update_interval",
    "width",
    "keras",
)


def main() -> None:
    """Parses the command line and prints the costs."""
    fields.define_flags(
        RunSettings,
        defaults={"model": "resnet_50", "sparsity": 0.0},
        names=_SETTINGS,
    )
    flags.DEFINE_string("plot", "", "PNG file for a picture.")
    flags.DEFINE_bool("json", False, "Print JSON in place of a table.")
    terminal.start(profile, description=__doc__)


def profile() -> int:
    """Prints the table, and draws the picture if asked for."""
    from tf_rigl.core import text_table
    from tf_rigl.experiments import profiling

    plot = flags.FLAGS.plot
    if plot:
        optional_packages.check_matplotlib()
    chosen = fields.read_flags(RunSettings)
    costs = profiling.profile_network(
        keras_modules.load_keras(chosen.keras), chosen
    )

    if flags.FLAGS.json:
        print(json.dumps(costs.to_dict()))
    else:
        notes = [str(costs.published)]
        if chosen.model in profiling.PADDED_AGAIN:
            notes.append(
                "(Published with strided layers padded once more than they "
                "are, so counted so here.)"
            )
        notes.append(
            f"Training by {chosen.method}, by the same rule: "
            f"{costs.training_share:.4f} × dense training of as many steps"
        )
        print(costs.profile)
        print("\n".join(map(text_table.paragraph, notes)))

    if plot:
        from tf_rigl.experiments import weight_pictures

        weight_pictures.draw_profile(pathlib.Path(plot), costs.profile)
        if not flags.FLAGS.json:
            print(f"picture: {plot}")
    return 0
