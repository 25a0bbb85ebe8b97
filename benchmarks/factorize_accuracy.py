#!/usr/bin/env python3
"""Accuracy of factorized networks by initialization and by decay.

Each run trains one network of one task from the start: dense, or factorized at
a scale of its ranks, with spectral or plain initial factors, and with weight
decay of each factor or Frobenius decay of their products, of the same strength.
Runs are appended to a file as they end; started again, the program goes on with
those that are missing, and prints the table of all that are there.

Choose settings with `--split=validation`: accuracy is then that of the last
tenth of the training examples, which are left out of training. The table of
`--split=test`, the default, is for settings that have been chosen.

| task | network | examples | training |
| --- | --- | --- | --- |
| mnist | LeNet-300-100 | 10,000 of MNIST | 15 epochs, rate .1 |
| mnist_bn | the same with BatchNormalization | the same | the same |
| cifar | ResNet-20, half width | 10,000 of CIFAR-10 | 30 epochs, rate .1 |

All train by SGD in batches of 128, a tenth of the rate from half and a
hundredth from three quarters of the epochs on, with momentum .9 for CIFAR: with
it LeNets of factors diverge at this rate unless they are normalized.

Usage: python benchmarks/factorize_accuracy.py [--data_dir=FOLDER] \
    [--task=mnist] [--rank_scale=.05 --rank_scale=.02] [--seeds=3] \
    [--initialization=spectral] [--strength=0.001] [--split=validation] \
    [--results=FILE.jsonl]
"""

import itertools
import pathlib
import statistics
import sys
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.data import mnist
from tf_rigl.data import tfds_reader
from tf_rigl.models import mlp
from tf_rigl.models import resnet

_BATCH = 128
_EXAMPLES = 10_000


class Task(NamedTuple):
    """A network and the data it learns."""

    data: str
    build: Any  # makes the network
    epochs: int
    strength: float  # λ
    momentum: float
    # Layers to factorize: all but the first and the last, as published.
    dense: tuple[str, ...]


def _lenet_with_normalization() -> Any:
    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten()]
    for number, units in enumerate((300, 100), 1):
        layers += [
            keras.layers.Dense(
                units,
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"fc{number}",
            ),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    return keras.Sequential([*layers, keras.layers.Dense(10, name="logits")])


TASKS = {
    "mnist": Task(
        "mnist",
        lambda: mlp.lenet_300_100(
            keras, (28, 28, 1), 10, kernel_initializer="he_normal"
        ),
        15,
        1e-4,
        0.0,
        ("logits",),
    ),
    "mnist_bn": Task(
        "mnist", _lenet_with_normalization, 15, 1e-4, 0.0, ("logits",)
    ),
    "cifar": Task(
        "cifar10",
        lambda: resnet.small_resnet(keras, 20, width=0.5, shortcuts="padding"),
        30,
        # λ times the sum of all rates is that of 200 epochs at λ = 1e-4, as
        # published. At that λ, 30 epochs of 10,000 images show no decay.
        3e-3,
        0.9,
        ("conv1", "logits"),
    ),
}


class Run(NamedTuple):
    """What one run trains."""

    task: str
    rank_scale: float  # 0 for a dense network
    initialization: str
    decay: str  # "weight" or "frobenius"
    strength: float  # λ
    seed: int


def define() -> None:
    flags.DEFINE_multi_enum("task", ["mnist"], [*TASKS], "What to learn.")
    flags.DEFINE_multi_float("rank_scale", [0.05, 0.02], "Scales of ranks.")
    flags.DEFINE_integer("seeds", 3, "Runs of each kind.", lower_bound=1)
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder of prepared TFDS data; without, the MNIST of this package.",
    )
    flags.DEFINE_enum(
        "split", "test", ["test", "validation"], "Examples of the accuracy."
    )
    flags.DEFINE_integer("epochs", 0, "Epochs; 0 for those of the task.")
    flags.DEFINE_float("momentum", -1.0, "That of the task if negative.")
    flags.DEFINE_multi_float("strength", [], "λ; without, that of the task.")
    flags.DEFINE_multi_enum(
        "initialization",
        ["spectral", "plain"],
        ["spectral", "plain"],
        "Initial values of factors.",
    )
    flags.DEFINE_string(
        "results", "runs/factorize_accuracy.jsonl", "File of the runs."
    )


def plan() -> list[Run]:
    """Returns all runs, seed by seed."""
    chosen = flags.FLAGS
    kinds = [(0.0, "dense", "weight")]
    kinds += itertools.product(
        chosen.rank_scale, chosen.initialization, ("weight", "frobenius")
    )
    return [
        Run(task, *kind, strength, seed)
        for task in chosen.task
        for strength in chosen.strength or [TASKS[task].strength]
        for seed in range(chosen.seeds)
        for kind in kinds
    ]


def read(name: str) -> tuple[np.ndarray, ...]:
    """Returns normalized examples of a data set, to train and to measure."""
    folder = flags.FLAGS.data_dir
    arrays: list[np.ndarray] = []
    if name == "mnist" and not folder:
        arrays = [one.astype(np.float32) for one in mnist.load("small")]
        for place in (0, 2):
            arrays[place] = arrays[place][..., None] / 255
    else:
        builder = tfds_reader.open_builder(name, folder, False)
        for split in (f"train[:{_EXAMPLES}]", "test"):
            images, labels = tfds_reader.read_arrays(builder, split)
            arrays += [images.numpy().astype(np.float32) / 255, labels.numpy()]
    if flags.FLAGS.split == "validation":
        kept = len(arrays[0]) * 9 // 10
        images, labels = arrays[:2]
        arrays = [images[:kept], labels[:kept], images[kept:], labels[kept:]]
    axes = (0, 1, 2)
    mean, deviation = arrays[0].mean(axes), arrays[0].std(axes)
    for place in (0, 2):
        arrays[place] = (arrays[place] - mean) / deviation
    return tuple(arrays)


def train(run: Run, arrays: tuple[np.ndarray, ...]) -> dict[str, Any]:
    """Trains one network; returns its size and its test accuracy."""
    task = TASKS[run.task]
    keras.backend.clear_session()
    keras.utils.set_random_seed(run.seed)
    model = task.build()
    if run.rank_scale:
        is_frobenius = run.decay == "frobenius"
        tf_rigl.factorize(
            model,
            rank_scale=run.rank_scale,
            layers=lambda layer: (
                layer.name not in task.dense
                and type(layer).__name__ in ("Dense", "Conv2D")
            ),
            initialization=run.initialization,
            frobenius_decay=run.strength if is_frobenius else 0.0,
            seed=run.seed,
        )

    train_x, train_y, test_x, test_y = arrays
    epochs = flags.FLAGS.epochs or task.epochs
    steps = len(train_x) // _BATCH * epochs
    chosen = flags.FLAGS.momentum
    momentum = chosen if chosen >= 0 else task.momentum
    optimizer = keras.optimizers.SGD(
        keras.optimizers.schedules.PiecewiseConstantDecay(
            [steps // 2, steps * 3 // 4], [0.1, 0.01, 0.001]
        ),
        momentum=momentum,
    )
    # Of kernels and factors, as L2 through momentum; those of products with a
    # decay of their own are left out.
    decay = _L2(run.strength)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.fit(
        train_x[: len(train_x) // _BATCH * _BATCH],
        train_y[: len(train_y) // _BATCH * _BATCH],
        batch_size=_BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(tf_rigl.Static(), penalties=[decay])],
    )
    accuracy = model.evaluate(test_x, test_y, 1000, verbose=0)[1]
    return {
        **run._asdict(),
        "split": flags.FLAGS.split,
        "epochs": epochs,
        "momentum": momentum,
        "parameters": model.count_params(),
        "accuracy": 100 * accuracy,
    }


class _L2(tf_rigl.algorithms.Penalty):
    """The term λ/2 · ‖w‖² of each kernel and factor without another decay."""

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def groups(self, layers: Any) -> list[tuple[Any]]:
        found = {}
        decayed: set[int] = set()
        for layer in layers.values():
            for group in getattr(layer, "factor_groups", list)():
                if group.decay.strength:
                    decayed.update(map(id, group.variables))
            for weight in getattr(layer, "_trainable_variables", ()):
                if len(weight.shape) > 1:
                    found[id(weight)] = (weight,)
        return [one for key, one in found.items() if key not in decayed]

    def gradients(self, values: Any) -> list[Any]:
        return [self.strength * value for value in values]


def main() -> dict[str, list[float]]:
    path = pathlib.Path(flags.FLAGS.results)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The first files have no split: they are of the test examples.
    every = [{"split": "test", **one} for one in measure.read_lines(path)]
    done = [one for one in every if one["split"] == flags.FLAGS.split]
    keys = {tuple(one[name] for name in Run._fields) for one in done}

    arrays: dict[str, Any] = {}
    for run in plan():
        if tuple(run) in keys:
            continue
        data = TASKS[run.task].data
        if data not in arrays:
            arrays[data] = read(data)
        done.append(train(run, arrays[data]))
        measure.append_line(path, done[-1])
        print(done[-1], flush=True)
    return report(done)


def report(done: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Prints mean and standard deviation of each kind of run."""
    kinds: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in done:
        key = tuple(one[name] for name in Run._fields[:-1])
        kinds.setdefault(key, []).append(one)
    rows = []
    for key, runs in kinds.items():
        found = [run["accuracy"] for run in runs]
        spread = statistics.stdev(found) if len(found) > 1 else 0.0
        mean = f"{statistics.mean(found):.2f} ± {spread:.2f}"
        size = f"{runs[0]['parameters']:,}"
        rows.append([*map(str, key), size, mean, str(len(found))])
    accuracy = f"{flags.FLAGS.split} accuracy"
    header = [*Run._fields[:-1], "parameters", accuracy, "runs"]
    measure.print_table(
        f"{accuracy.capitalize()}, mean ± standard deviation", header, rows
    )
    return {" ".join(row[:5]): [float(row[6].split()[0])] for row in rows}


if __name__ == "__main__":
    measure.start(main, define)
