#!/usr/bin/env python3
"""Time of the first training step with RigL, compared with dense training.

The first step is traced and compiled, and mask updates add to its graph.
Prints the seconds of the first batch of ResNet-50 at 64×64, dense and with
RigL in turn, and the ratio within rounds.

Usage: python benchmarks/first_step.py [--repeats=3] [--keras=keras3]
"""

import dataclasses
import functools
import pathlib
import sys
from typing import Any

from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from benchmarks import networks
from tf_rigl.experiments import keras_modules


def define_flags() -> None:
    flags.DEFINE_alias("repeats", "rounds")
    flags.DEFINE_enum(
        "keras", "keras3", [*keras_modules.MODULES], "Keras flavor."
    )


def first_batch(keras: Any, sparse: bool) -> float:
    """Measures the seconds of `fit` on one batch, with a new model."""
    keras.backend.clear_session()
    network = dataclasses.replace(networks.NETWORKS["resnet50"], batch_size=4)
    model = network.build(keras)

    callbacks = []
    if sparse:
        tf_rigl.sparsify(model, 0.9)
        callbacks.append(tf_rigl.UpdateMasks(tf_rigl.RigL(stop_step=1000)))
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    images, labels = network.batch()
    return measure.seconds(
        lambda: model.fit(images, labels, verbose=0, callbacks=callbacks)
    )


def main() -> dict[str, list[float]]:
    keras = keras_modules.load_keras(flags.FLAGS.keras)
    measured = measure.alternate(
        {
            "dense": functools.partial(first_batch, keras, sparse=False),
            "RigL": functools.partial(first_batch, keras, sparse=True),
        }
    )
    measure.print_ratios("First step", measured, {"RigL": "dense"}, "s")
    return measured


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=3)
