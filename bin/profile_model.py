#!/usr/bin/env python3
"""Prints the costs of an untrained network at a sparsity, layer by layer.

Counts by two conventions: by multiply-accumulates of kernels, with two FLOPs
each, and by that of published tables, which folds normalizations into biases
and also counts biases and ReLUs.

Examples:
    python bin/profile_model.py --model=resnet_50 --sparsity=0.8
    python bin/profile_model.py --model=resnet_50 --sparsity=0.9 \
        --distribution=uniform --dense_layers=conv1 --budget=reference \
        --plot=layers.png
"""

import pathlib

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments import keras_modules
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import profiling
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs.settings import RunSettings

fields.define_flags(
    RunSettings,
    defaults={"model": "resnet_50", "sparsity": 0.0},
    names=profiling.FIELDS,
)
flags.DEFINE_string("plot", "", "PNG file for a picture.")


def profile() -> int:
    """Prints the table, and draws the picture if asked for."""
    plot = flags.FLAGS.plot
    if plot:
        optional_packages.check_matplotlib()
    chosen = fields.read_flags(RunSettings)
    costs = profiling.profile_network(
        keras_modules.load_keras(chosen.keras), chosen
    )

    print(costs.profile)
    print(costs.published)
    if chosen.model in profiling.PADDED_AGAIN:
        print(
            "(Published with strided layers padded once more than they are, "
            "so counted so here.)"
        )
    print(
        f"Training by {chosen.method}, by the same rule: "
        f"{costs.training_share:.4f} × dense training of as many steps"
    )

    if plot:
        from tf_rigl.experiments import weight_pictures

        weight_pictures.draw_profile(pathlib.Path(plot), costs.profile)
        print(f"picture: {plot}")
    return 0


if __name__ == "__main__":
    terminal.start(profile)
