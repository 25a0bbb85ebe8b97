#!/usr/bin/env python3
"""Load times of files of sparse models, relative to dense ones.

Writes a network, dense and sparse (ERK, random weights), as a `.keras` file, as
a weights file and, if sparse, as a packed SavedModel, then loads each into
Keras in turn. Ratios are to the dense file of the same kind within the same
round, and for packed weights to the dense weights file. See
`export_latency.py` for load times of exported artifacts without this library.

Usage: python benchmarks/load_time.py [--network=NAME] [--sparsity=0.9]
"""

import functools
import pathlib
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from benchmarks import networks
from tf_rigl.experiments import keras_modules

_NETWORKS = ("mobilenet", "resnet50")
# The contender with which another one is compared.
REFERENCES = {
    "sparse .keras": "dense .keras",
    "sparse weights": "dense weights",
    "packed weights": "dense weights",
}


def define_flags() -> None:
    flags.DEFINE_enum("network", "mobilenet", _NETWORKS, "Network to load.")
    flags.DEFINE_enum(
        "keras", "keras3", [*keras_modules.MODULES], "Keras flavor."
    )
    flags.DEFINE_float("sparsity", 0.9, "Sparsity.")


def write_files(
    keras: Any, name: str, sparsity: float, folder: pathlib.Path
) -> dict[str, Callable[[], Any]]:
    """Writes all files of a network; returns functions to load each."""
    build = networks.NETWORKS[name].build
    dense = build(keras)
    sparse = tf_rigl.sparsify(build(keras), sparsity)

    dense.save(folder / "dense.keras")
    dense.save_weights(folder / "dense.weights.h5")
    sparse.save(folder / "sparse.keras")
    sparse.save_weights(folder / "sparse.weights.h5")
    tf_rigl.export_saved_model(sparse, str(folder / "packed"))

    # A model into which packed weights were loaded may also have to keep its
    # first masks, and then no longer fits the weights files.
    restored = tf_rigl.sparsify(build(keras), sparsity)

    load_model = keras.models.load_model
    return {
        "dense .keras": functools.partial(load_model, folder / "dense.keras"),
        "sparse .keras": functools.partial(load_model, folder / "sparse.keras"),
        "dense weights": functools.partial(
            dense.load_weights, folder / "dense.weights.h5"
        ),
        "sparse weights": functools.partial(
            sparse.load_weights, folder / "sparse.weights.h5"
        ),
        "packed weights": functools.partial(
            tf_rigl.load_packed_weights, restored, str(folder / "packed")
        ),
    }


def main() -> dict[str, list[float]]:
    options = flags.FLAGS
    keras = keras_modules.load_keras(options.keras)
    with tempfile.TemporaryDirectory() as folder:
        loads = write_files(
            keras, options.network, options.sparsity, pathlib.Path(folder)
        )
        measured = measure.alternate_timed(loads)
    measure.print_ratios("Load", measured, REFERENCES, "s")
    return measured


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=5)
