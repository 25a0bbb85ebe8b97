#!/usr/bin/env python3
"""Latency of factorized layers, in TensorFlow and LiteRT.

Two Dense layers of `--units` units, or 3×3 convolutions of as many filters on
images of 16×16, with random weights are exported as they are and with factors
of a share of the parameters, and are called in turn. Ratios are to the dense
network within the same round: 0.25 is four times as fast.

Usage: python benchmarks/factorize_latency.py [--layer=dense] [--units=4096]
    [--ratio=0.1] [--batch_size=1 --batch_size=128]
"""

import functools
import pathlib
import sys
import tempfile
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import channel_latency
from benchmarks import export_latency
from benchmarks import measure
from tf_rigl.export.litert import run

_DENSE = "dense"
_IMAGE = (16, 16)


def define() -> None:
    flags.DEFINE_enum("layer", "dense", ["dense", "conv"], "Kind of layers.")
    flags.DEFINE_multi_integer("units", [4096], "Sizes of both layers.")
    flags.DEFINE_multi_float("ratio", [0.1], "Shares of the parameters left.")
    export_latency.define_calls()


def networks(units: int) -> dict[str, Any]:
    """Returns the networks by name, the dense one first."""
    layers = keras.layers

    def build() -> Any:
        if flags.FLAGS.layer == "conv":
            return keras.Sequential(
                [
                    keras.Input((*_IMAGE, units)),
                    layers.Conv2D(units, 3, padding="same", activation="relu"),
                    layers.Conv2D(units, 3, padding="same"),
                ]
            )
        return keras.Sequential(
            [
                keras.Input((units,)),
                layers.Dense(units, activation="relu"),
                layers.Dense(units),
            ]
        )

    found = {_DENSE: build()}
    for ratio in flags.FLAGS.ratio:
        # Latency does not depend on values.
        model = tf_rigl.factorize(build(), ratio=ratio, initialization="plain")
        found[f"{ratio:.0%} of the parameters"] = model
    return found


def main() -> dict[str, dict[str, list[float]]]:
    print(f"LiteRT files are run by {run.runtime()}.")
    measured: dict[str, dict[str, list[float]]] = {}
    for units in measure.chosen("units", [64]):
        with tempfile.TemporaryDirectory() as folder:
            loaded, files = channel_latency.write(
                networks(units), pathlib.Path(folder)
            )
            for size in measure.chosen("batch_size", [1]):
                random = np.random.default_rng(0)
                image = _IMAGE if flags.FLAGS.layer == "conv" else ()
                shape = (*image, units)
                inputs = random.random((size, *shape), np.float32)
                tensor = tf.constant(inputs)
                calls: dict[str, dict[str, Any]] = {
                    "TensorFlow": {
                        name: functools.partial(one.serve, tensor)
                        for name, one in loaded.items()
                    },
                    "LiteRT": {
                        name: functools.partial(
                            export_latency.call_litert,
                            export_latency.load_litert(path, size, shape),
                            inputs,
                        )
                        for name, path in files.items()
                    },
                }
                for runtime, own in calls.items():
                    title = f"{units} units, {runtime}, batch {size}"
                    measured[title] = measure.alternate_timed(
                        own, measure.chosen("calls")
                    )
    for title, taken in measured.items():
        measure.print_ratios(title, taken, dict.fromkeys(taken, _DENSE))
    return measured


if __name__ == "__main__":
    measure.start(main, define, rounds=10)
