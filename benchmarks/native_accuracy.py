#!/usr/bin/env python3
"""Accuracy and time of training by connections alone, against masks.

Trains LeNet-300-100 with RigL at one sparsity, ERK, batches of 128, SGD of
momentum 0.9 with a cosine from 0.1: with masked and with compressed storage, in
turn for each seed. Reports test accuracy and the processor time of a step, from
the second epoch of `fit` on. Both have the same initial values, masks and
batches, so accuracies differ by rounding alone, as far as training lets that
grow.

Usage: python benchmarks/native_accuracy.py [--sparsity=0.98] [--rounds=3]
"""

import pathlib
import statistics
import sys
import time
from typing import Any

import keras
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.data import registry as data_sets
from tf_rigl.data.batching import Batching
from tf_rigl.models import registry as networks

STORAGES = ("masked", "compressed")


def define_flags() -> None:
    flags.DEFINE_enum("data", "mnist_small", ["mnist_small", "mnist"], "Data.")
    flags.DEFINE_string("data_dir", None, "Folder of prepared TFDS data.")
    flags.DEFINE_float("sparsity", 0.98, "Fraction of zeros.")
    flags.DEFINE_integer("epochs", 20, "Epochs of training.", 2)


class Clock(keras.callbacks.Callback):
    """Processor time of all epochs but the first, which also compiles."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._begin = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        del epoch, logs
        self._begin = time.process_time()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        del logs
        if epoch:
            self.seconds.append(time.process_time() - self._begin)


def train(storage: str, seed: int) -> dict[str, float]:
    """Returns accuracy in percent and milliseconds of a step."""
    options = flags.FLAGS
    epochs = measure.chosen("epochs", 2)
    keras.utils.set_random_seed(seed)
    splits = data_sets.splits(
        options.data, Batching(128, seed=seed), options.data_dir
    )
    model = networks.builder("lenet_300_100")(
        keras,
        input_shape=splits.info.example_shape,
        classes=splits.info.classes,
    )
    tf_rigl.sparsify(model, options.sparsity, seed=seed, storage=storage)

    per_epoch = int(splits.train.cardinality())
    rate = keras.optimizers.schedules.CosineDecay(0.1, epochs * per_epoch)
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    clock = Clock()
    method = tf_rigl.UpdateMasks(tf_rigl.RigL(update_interval=50))
    model.fit(splits.train, epochs=epochs, verbose=0, callbacks=[method, clock])

    metric = keras.metrics.SparseCategoricalAccuracy()
    for images, labels in splits.evaluation:
        metric.update_state(labels, model(images))
    step = sum(clock.seconds) / len(clock.seconds) / per_epoch
    return {"accuracy": 100 * float(metric.result()), "step_ms": 1000 * step}


def main() -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {one: [] for one in STORAGES}
    for seed in range(measure.chosen("rounds")):
        for storage in STORAGES:
            found[storage].append(train(storage, seed))
            print(f"seed {seed}, {storage}: {found[storage][-1]}", flush=True)

    rows = []
    for storage, runs in found.items():
        accuracies = [one["accuracy"] for one in runs]
        text = f"{statistics.mean(accuracies):.2f}"
        if len(accuracies) > 1:
            text += f" ± {statistics.stdev(accuracies):.2f}"
        times = measure.ratios(
            [one["step_ms"] for one in runs],
            [one["step_ms"] for one in found["masked"]],
        )
        rows.append([storage, text, f"{times.median:.2f}"])
    measure.print_table(
        f"LeNet-300-100, {flags.FLAGS.data}, {flags.FLAGS.sparsity:.0%}",
        ["", "accuracy, %", "CPU of a step, × masked"],
        rows,
    )
    return found


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=3)
