#!/usr/bin/env python3
"""How much longer the first training step takes with RigL than without.

The first step is traced and compiled; mask updates add to its graph. Prints
the seconds of the first batch of ResNet-50 at 64×64, dense and with RigL,
alternated, and their ratio within rounds.

Usage: python benchmarks/first_step.py [--repeats=3] [--keras=keras3]
"""

import functools
import pathlib
import sys
from typing import Any

import numpy as np
from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.experiments import keras_modules

_REPEATS = flags.DEFINE_integer("repeats", 3, "Runs of each.", lower_bound=1)
_KERAS = flags.DEFINE_enum(
    "keras", "keras3", [*keras_modules.MODULES], "Which Keras."
)
_SIDE = 64


def first_batch(keras: Any, sparse: bool) -> float:
    """Measures `fit` on one batch of a new model, its making left out."""
    keras.backend.clear_session()
    model = keras.applications.ResNet50(
        weights=None, input_shape=(_SIDE, _SIDE, 3), classes=10
    )

    callbacks = []
    if sparse:
        tf_rigl.sparsify(model, 0.9)
        callbacks.append(tf_rigl.UpdateMasks(tf_rigl.RigL(stop_step=1000)))
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9),
        "sparse_categorical_crossentropy",
    )

    images = np.zeros((4, _SIDE, _SIDE, 3), np.float32)
    labels = np.zeros(4, np.int64)
    return measure.seconds(
        lambda: model.fit(
            images, labels, batch_size=4, verbose=0, callbacks=callbacks
        )
    )


def main(arguments: list[str]) -> None:
    del arguments
    keras = keras_modules.load_keras(_KERAS.value)
    measured = measure.alternate(
        {
            "dense": functools.partial(first_batch, keras, sparse=False),
            "RigL": functools.partial(first_batch, keras, sparse=True),
        },
        _REPEATS.value,
    )
    measure.print_ratios("First step", measured, {"RigL": "dense"}, "s")


if __name__ == "__main__":
    app.run(main)
