#!/usr/bin/env python3
"""Latency of networks with fewer channels, in TensorFlow and LiteRT.

Removes shares of the channels of a network with random weights, coupled ones
together (`tf_rigl.prune_channels`), exports each network as a SavedModel and as
a LiteRT file, and calls all in turn. Ratios are to the whole network within the
same round; the share of its FLOPs stands in the name.

Usage: python benchmarks/channel_latency.py [--network=NAME] [--ratio=0.3
    --ratio=0.5] [--batch_size=1 --batch_size=32]
"""

import contextlib
import functools
import io
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
from benchmarks import export_latency
from benchmarks import measure
from tf_rigl.export.litert import run
from tf_rigl.models import mlp
from tf_rigl.models import mobilenet
from tf_rigl.models import resnet

NETWORKS = {
    "resnet50": lambda: resnet.resnet(keras),
    "mobilenet_v1": lambda: mobilenet.mobilenet_v1(keras),
    "mobilenet_v2": lambda: mobilenet.mobilenet_v2(keras),
    "lenet_300_100": lambda: mlp.lenet_300_100(keras, (28, 28), 10),
}
_WHOLE = "whole"


def define_flags() -> None:
    flags.DEFINE_enum("network", "resnet50", [*NETWORKS], "Network to prune.")
    flags.DEFINE_multi_float("ratio", [0.3, 0.5], "Shares of channels that go.")
    export_latency.define_calls()


def prune(model: Any) -> dict[str, Any]:
    """Returns the networks by name, the whole one first."""
    flops = tf_rigl.profile(model).flops
    networks = {_WHOLE: model}
    for ratio in flags.FLAGS.ratio:
        small, _ = tf_rigl.prune_channels(model, ratio)
        share = tf_rigl.profile(small).flops / flops
        networks[f"{1 - ratio:.0%} of channels, {share:.2f} × FLOPs"] = small
    return networks


def write(
    networks: dict[str, Any], folder: pathlib.Path
) -> tuple[dict[str, Any], dict[str, str]]:
    """Exports the networks; returns loaded SavedModels, and LiteRT files."""
    loaded, files = {}, {}
    for number, (name, model) in enumerate(networks.items()):
        path = str(folder / f"saved_{number}")
        # Keras announces every export at length on standard output.
        with contextlib.redirect_stdout(io.StringIO()):
            model.export(path)
        loaded[name] = tf.saved_model.load(path)
        files[name] = str(folder / f"{number}.tflite")
        tf_rigl.export_litert(model, files[name])
    return loaded, files


def main() -> dict[str, dict[str, list[float]]]:
    model = NETWORKS[flags.FLAGS.network]()
    networks = prune(model)
    print(f"LiteRT files are run by {run.runtime()}.")

    results = {}
    with tempfile.TemporaryDirectory() as folder:
        loaded, files = write(networks, pathlib.Path(folder))
        for size in measure.chosen("batch_size", [1]):
            shape = model.input_shape[1:]
            inputs = np.random.default_rng(0).random((size, *shape), np.float32)
            tensor = tf.constant(inputs)
            results[f"TensorFlow, batch {size}"] = {
                name: functools.partial(one.serve, tensor)
                for name, one in loaded.items()
            }
            results[f"LiteRT, batch {size}"] = {
                name: functools.partial(
                    export_latency.call_litert,
                    export_latency.load_litert(path, size, shape),
                    inputs,
                )
                for name, path in files.items()
            }

        measured = {
            title: measure.alternate_timed(calls, measure.chosen("calls"))
            for title, calls in results.items()
        }
    for title, own in measured.items():
        measure.print_ratios(title, own, dict.fromkeys(own, _WHOLE))
    return measured


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=10)
