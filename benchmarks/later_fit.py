#!/usr/bin/env python3
"""Time of calls of `fit` after the first, relative to the dense model.

They should not retrace anything, so `UpdateMasks` should only add a few passes
over the weights. Trains a network dense and sparse, in turn, one epoch per
`fit`. The first `fit` of each is not counted.

Usage: python benchmarks/later_fit.py [--network=NAME] [--keras=keras3]
"""

import pathlib
import sys
from collections.abc import Callable
from typing import Any

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import numpy as np

import tf_rigl
from benchmarks import measure
from benchmarks import networks
from tf_rigl.experiments import keras_modules

# The contender with which another one is compared.
REFERENCES = {"sparse": "dense"}


def define_flags() -> None:
    flags.DEFINE_enum(
        "network", "lenet_300_100", [*networks.NETWORKS], "Network."
    )
    flags.DEFINE_enum(
        "keras", "keras3", [*keras_modules.MODULES], "Keras flavor."
    )
    flags.DEFINE_integer("batches", 5, "Batches per `fit`.")


def make_fits(
    keras: Any, network: networks.Network, batches: int
) -> dict[str, Callable[[], Any]]:
    """Returns, by contender, a function that calls `fit` once more."""
    inputs, labels = (
        np.concatenate([one] * batches) for one in network.batch()
    )
    method = tf_rigl.RigL(stop_step=10**6, update_interval=10**5)

    def compiled() -> Any:
        model = network.build(keras)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss)
        return model

    def fit(model: Any, *callbacks: Any) -> None:
        model.fit(
            inputs,
            labels,
            batch_size=network.batch_size,
            verbose=0,
            callbacks=list(callbacks),
        )

    dense, sparse = compiled(), tf_rigl.sparsify(compiled(), 0.9)
    return {
        "dense": lambda: fit(dense),
        "sparse": lambda: fit(sparse, tf_rigl.UpdateMasks(method)),
    }


def main() -> dict[str, list[float]]:
    options = flags.FLAGS
    fits = make_fits(
        keras_modules.load_keras(options.keras),
        networks.NETWORKS[options.network],
        measure.chosen("batches"),
    )

    for first in fits.values():
        first()
    measured = measure.alternate_timed(fits)
    measure.print_ratios("Later fit", measured, REFERENCES, "s")
    return measured


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=9)
