#!/usr/bin/env python3
"""Latency of networks with fewer channels, in TensorFlow and LiteRT.

Removes shares of the channels of a network with random weights, coupled ones
together (`tf_rigl.prune_channels`), or those that a compression has chosen.
Exports each network as a SavedModel and as a LiteRT file, and calls all in
turn. Ratios are to the whole network within the same round; the share of its
FLOPs stands in the name.

Usage: python benchmarks/channel_latency.py [--network=NAME] [--ratio=0.3
    --ratio=0.5] [--batch_size=1 --batch_size=32]
    [--compression=runs/compress/cifar10_vgg/compressions/lr_0.1_s0]
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
from tf_rigl.experiments.compress import cutting
from tf_rigl.experiments.compress import tables
from tf_rigl.experiments.compress import trainings
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.runs import setup
from tf_rigl.export.litert import run
from tf_rigl.models import mlp
from tf_rigl.models import mobilenet
from tf_rigl.models import resnet
from tf_rigl.tickets.folder import RunFolder as PrunedFolder

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
    flags.DEFINE_string(
        "compression",
        None,
        "Folder of one compression of `tf-rigl compress`, whose networks are "
        "measured instead.",
    )
    export_latency.define_calls()


def find_networks() -> dict[str, Any]:
    """Returns the networks by name, the whole one first."""
    if flags.FLAGS.compression:
        whole, smaller = read_compression(pathlib.Path(flags.FLAGS.compression))
    else:
        whole = NETWORKS[flags.FLAGS.network]()
        smaller = {
            _name(f"{ratio:g}"): tf_rigl.prune_channels(whole, ratio).model
            for ratio in flags.FLAGS.ratio
        }
    flops = tf_rigl.profile(whole).flops
    networks = {_WHOLE: whole}
    for name, small in smaller.items():
        share = tf_rigl.profile(small).flops / flops
        networks[f"{name}, {share:.2f} × FLOPs"] = small
    return networks


def read_compression(folder: pathlib.Path) -> tuple[Any, dict[str, Any]]:
    """Builds a compression's large network, and what is left of it by name.

    Weights are those before training, which latencies do not depend on.
    """
    settings = run_folder.RunFolder(folder).read_settings()
    if settings is None:
        sys.exit(f"--compression={folder} has no configuration.json.")
    whole = cutting.build_large(setup.prepare(settings))
    prefix = f"{trainings.PRUNED}_"
    return whole, {
        _name(path.name.removeprefix(prefix)): cutting.cut(
            whole, PrunedFolder(str(path)).read_masks()
        )
        for path in sorted(folder.glob(f"{prefix}*"))
    }


def _name(target: str) -> str:
    return f"{tables.target_text(target)} removed"


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
    networks = find_networks()
    print(f"LiteRT files are run by {run.runtime()}.")

    results = {}
    with tempfile.TemporaryDirectory() as folder:
        loaded, files = write(networks, pathlib.Path(folder))
        for size in measure.chosen("batch_size", [1]):
            shape = networks[_WHOLE].input_shape[1:]
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
