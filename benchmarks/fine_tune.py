#!/usr/bin/env python3
"""Accuracy of a trained classifier that is fine-tuned sparse.

For each seed a dense network is trained and saved. Each way then loads it,
makes it sparse (ERK) and trains it for `--tuning_epochs` more, with a cosine
from `--tuning_rate` to 0:

* `one_shot`: the largest magnitudes are kept at once, masks stay,
* `gradual`: `GradualPruning`, to the sparsity in three quarters of the steps,
* `rigl`: as `one_shot`, and RigL moves connections,
* `ac_dc`: `ACDC`, sparse and dense phases in turn.

Also evaluated are the dense network, trained as much longer, and the sparse one
before it is trained. Sizes on disk are those of `export_saved_model`.

Networks: LeNet-300-100 for MNIST; for CIFAR-10, ResNet-18 of an eighth of its
width.

Usage: python benchmarks/fine_tune.py [--data=mnist_small] [--sparsity=0.9]
"""

import pathlib
import statistics
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import keras
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.data import datasets
from tf_rigl.data import registry as data_sets
from tf_rigl.data.batching import Batching
from tf_rigl.models import registry as networks

# The network of each data set.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "mnist_small": ("lenet_300_100", {}),
    "mnist": ("lenet_300_100", {}),
    "cifar10": ("resnet_18", {"width": 0.125}),
}
# The `start` of `sparsify`, and the method, of each way.
WAYS: dict[str, tuple[str, type[Any]]] = {
    "one_shot": ("magnitude", tf_rigl.Static),
    "gradual": ("dense", tf_rigl.GradualPruning),
    "rigl": ("magnitude", tf_rigl.RigL),
    "ac_dc": ("dense", tf_rigl.ACDC),
}
# Two figures of a network: accuracy on the test set, bytes on disk.
Figures = dict[str, float]
_MOMENTUM = 0.9
_UPDATES = 40  # mask updates that would fit into all steps


def define_flags() -> None:
    flags.DEFINE_enum("data", "mnist_small", [*NETWORKS], "Data set.")
    flags.DEFINE_string("data_dir", None, "Folder of prepared TFDS data.")
    flags.DEFINE_multi_float("sparsity", [0.8, 0.9], "Sparsity.")
    flags.DEFINE_multi_enum("way", [*WAYS], [*WAYS], "Way to fine-tune.")
    flags.DEFINE_enum(
        "distribution", "erk", ["erk", "uniform"], "Spread of the zeros."
    )
    flags.DEFINE_integer("epochs", 10, "Epochs of dense training.", 1)
    flags.DEFINE_integer("tuning_epochs", 5, "Epochs of fine-tuning.", 1)
    flags.DEFINE_float("learning_rate", 0.1, "Rate of dense training.")
    flags.DEFINE_float("tuning_rate", 0.1, "Rate of fine-tuning.")
    flags.DEFINE_integer("batch_size", 128, "Examples of a step.", 1)


def fine_tune_all(seed: int) -> dict[str, Figures]:
    """Trains a dense network and fine-tunes it in each way.

    Returns:
        Figures by the name of a row.
    """
    options = flags.FLAGS
    keras.utils.set_random_seed(seed)
    splits = read(seed)
    figures: dict[str, Figures] = {}

    def record(row: str, model: Any) -> None:
        figures[row] = evaluate(model, splits)
        print(f"seed {seed}, {row}: {figures[row]['accuracy']:.2%}", flush=True)

    with tempfile.TemporaryDirectory() as name:
        trained = pathlib.Path(name) / "trained.keras"
        model = build(splits.info)
        epochs = measure.chosen("epochs")
        train(model, splits, epochs, options.learning_rate)
        record("dense", model)
        model.save(trained)

        model = keras.models.load_model(trained)
        train_further(model, read(seed))
        record("dense, trained further", model)

        for sparsity in options.sparsity:
            model = keras.models.load_model(trained)
            sparsify(model, sparsity, "magnitude")
            record(f"{sparsity:.0%} pruned, not trained", model)
            for way in options.way:
                model = keras.models.load_model(trained)
                fine_tune(model, read(seed), way, sparsity)
                record(f"{sparsity:.0%} {way}", model)

    return figures


def read(seed: int) -> datasets.DataSplits:
    """Reads the data; a first pass has the same batches in all networks."""
    options = flags.FLAGS
    batching = Batching(options.batch_size, seed=seed)
    return data_sets.splits(options.data, batching, options.data_dir)


def build(info: datasets.DataInfo) -> Any:
    name, arguments = NETWORKS[flags.FLAGS.data]
    return networks.builder(name)(
        keras, input_shape=info.example_shape, classes=info.classes, **arguments
    )


def sparsify(model: Any, sparsity: float, start: str) -> None:
    """Masks the network; `start` is that of `tf_rigl.sparsify`."""
    tf_rigl.sparsify(model, sparsity, flags.FLAGS.distribution, start=start)


def fine_tune(
    model: Any, splits: datasets.DataSplits, way: str, sparsity: float
) -> None:
    start, method = WAYS[way]
    sparsify(model, sparsity, start)

    arguments = {}
    if way in ("gradual", "rigl"):
        steps = measure.chosen("tuning_epochs") * len(splits.train)
        arguments["update_interval"] = max(1, steps // _UPDATES)
    train_further(model, splits, tf_rigl.UpdateMasks(method(**arguments)))


def train_further(
    model: Any, splits: datasets.DataSplits, *callbacks: Any
) -> None:
    """Trains as long as fine-tuning takes, at its learning rate."""
    epochs = measure.chosen("tuning_epochs")
    train(model, splits, epochs, flags.FLAGS.tuning_rate, *callbacks)


def train(
    model: Any,
    splits: datasets.DataSplits,
    epochs: int,
    learning_rate: float,
    *callbacks: Any,
) -> None:
    """Trains with a cosine to 0, by SGD with momentum."""
    rate = keras.optimizers.schedules.CosineDecay(
        learning_rate, epochs * len(splits.train)
    )
    model.compile(
        keras.optimizers.SGD(rate, momentum=_MOMENTUM),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(splits.train, epochs=epochs, callbacks=list(callbacks), verbose=0)


def evaluate(model: Any, splits: datasets.DataSplits) -> Figures:
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    _, accuracy = model.evaluate(splits.evaluation, verbose=0)
    with tempfile.TemporaryDirectory() as name:
        report = tf_rigl.export_saved_model(model, pathlib.Path(name) / "model")
    return {"accuracy": accuracy, "bytes": report.folder_bytes}


def show(title: str, figures: Mapping[str, list[Figures]]) -> None:
    """Prints a row for each network, means over the seeds."""
    rows = []
    for name, seeds in figures.items():
        accuracies = [100 * one["accuracy"] for one in seeds]
        row = [name, f"{statistics.mean(accuracies):.2f}"]
        if len(seeds) > 1:
            row[-1] += f" ± {statistics.stdev(accuracies):.2f}"
        row.append(f"{statistics.mean(one['bytes'] for one in seeds):,.0f}")
        rows.append(row)
    measure.print_table(
        title, ["", "test accuracy, %", "SavedModel, bytes"], rows
    )


def main() -> dict[str, list[Figures]]:
    seeds = [fine_tune_all(seed) for seed in range(measure.chosen("rounds"))]
    figures = {name: [one[name] for one in seeds] for name in seeds[0]}
    show(f"{flags.FLAGS.data}, mean ± standard deviation", figures)
    return figures


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=3)
