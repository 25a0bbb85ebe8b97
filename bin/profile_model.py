#!/usr/bin/env python3
"""Prints what a network costs at a sparsity, layer by layer, untrained.

Two conventions: multiply-accumulates of kernels (FLOPs are twice that), and
that of published tables, which folds normalizations into biases and counts
them and ReLU, too.

Examples:
    python bin/profile_model.py --model=resnet_50 --sparsity=0.8
    python bin/profile_model.py --model=resnet_50 --sparsity=0.9 \
        --distribution=uniform --dense_layers=conv1 --budget=reference \
        --plot=layers.png
"""

import pathlib
import sys

from absl import app
from absl import flags

from tf_rigl.experiments import keras_modules
from tf_rigl.experiments import optional_packages
from tf_rigl.experiments import profiling
from tf_rigl.models import registry

_FAILURE = 1

flags.DEFINE_enum("model", "resnet_50", sorted(registry.BUILDERS), "Network.")
flags.DEFINE_enum("keras", "keras3", list(keras_modules.MODULES), "Keras.")
flags.DEFINE_float("sparsity", 0.0, "Fraction of weights left out.")
flags.DEFINE_enum(
    "distribution", "erk", profiling.DISTRIBUTIONS, "Over the layers."
)
flags.DEFINE_list("dense_layers", [], "Layers that stay dense, by name.")
flags.DEFINE_enum(
    "budget",
    "global",
    profiling.BUDGETS,
    "global: the sparsity is that of all kernels, reference: dense layers do "
    "not count, as in published repositories.",
)
flags.DEFINE_enum("method", "rigl", profiling.METHODS, "Training to reckon.")
flags.DEFINE_integer("update_interval", 100, "Steps between mask updates.")
flags.DEFINE_float("width", 1.0, "What to multiply the widths by.")
flags.DEFINE_string("plot", "", "Also draw it: the PNG file to write.")


def main(arguments: list[str]) -> int:
    """Prints the table and draws the picture.

    Args:
        arguments: What is left of the command line: the program's name.

    Returns:
        The exit code: 0, or 1 where a setting is wrong.
    """
    if len(arguments) > 1:
        raise app.UsageError(f"Unknown arguments: {' '.join(arguments[1:])}")
    chosen = flags.FLAGS
    try:
        if chosen.plot:
            optional_packages.check_matplotlib()
        costs = profiling.profile_network(
            keras_modules.load_keras(chosen.keras),
            profiling.Settings(
                model=chosen.model,
                sparsity=chosen.sparsity,
                distribution=chosen.distribution,
                dense_layers=tuple(chosen.dense_layers),
                budget=chosen.budget,
                method=chosen.method,
                update_interval=chosen.update_interval,
                width=chosen.width,
            ),
        )
        print(costs.profile)
        print(costs.published)
        if chosen.model in profiling.PADDED_AGAIN:
            print(
                "(Published with strided layers padded once more than they "
                "are, so counted so here.)"
            )
        print(
            f"Training by {chosen.method}, by the same rule: "
            f"{costs.training_share:.4f} × dense training of as many steps"
        )
        if chosen.plot:
            from tf_rigl.experiments import profile_picture

            profile_picture.draw_profile(
                pathlib.Path(chosen.plot), costs.profile
            )
            print(f"picture: {chosen.plot}")
    except (ValueError, ImportError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return _FAILURE
    return 0


if __name__ == "__main__":
    app.run(main)
