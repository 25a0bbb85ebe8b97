#!/usr/bin/env python3
"""RigL that grows by averaged gradients, beside RigL, SET and fixed masks.

LeNet-300-100, ERK, SGD with Nesterov momentum 0.9, a cosine from each of the
rates to 0, mask updates every 100 steps until three quarters of the run. The
averages are means over the last steps before an update, and the exponential
average of SNFS, over all steps.

Runs are kept in `--output_dir`; the same command goes on with those that are
missing, seed by seed. Each method is compared with the others in pairs of one
seed: the mean difference and its standard error.

Usage: python benchmarks/steady_rigl.py --data=mnist --output_dir=FOLDER
"""

import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.data import mnist
from tf_rigl.models import registry as networks

_SOURCES = {"mnist_small": "small", "mnist": "tfds"}
_BASELINES = ("static", "set", "rigl")
# By the mean over so many steps; and without the update at step 0, for which
# there is only one gradient.
_AVERAGED = (
    tf_rigl.RigL(gradient_steps=10),
    tf_rigl.RigL(gradient_steps=20),
    tf_rigl.RigL(gradient_steps=50),
    tf_rigl.RigL(gradient_steps=20, update_at_start=False),
)
# What decides comes first.
_PASSES = (
    ("rigl", _AVERAGED[1]),
    (*_BASELINES, *_AVERAGED[1:3]),
    (*_BASELINES, *_AVERAGED, "snfs"),
)
_KEYS = ("method", "sparsity", "seed", "epochs")
_COLUMNS = [
    "sparsity",
    "method",
    "runs",
    "mean, %",
    "lowest, %",
    "- RigL, points",
    "- best of three, points",
]
_BATCH_SIZE = 128
_INTERVAL = 100  # optimizer steps between two mask updates
_MOMENTUM = 0.9
# Divides the 468 steps of an epoch on MNIST.
_STEPS_PER_EXECUTION = 13


def define_flags() -> None:
    flags.DEFINE_enum("data", "mnist_small", [*_SOURCES], "Data set.")
    flags.DEFINE_string("data_dir", None, "Folder of prepared TFDS data.")
    flags.DEFINE_string("output_dir", "runs/steady_rigl", "Folder of the runs.")
    flags.DEFINE_multi_float("sparsity", [0.95, 0.98, 0.99], "Sparsity.")
    flags.DEFINE_multi_float("learning_rate", [0.2, 0.1], "Peak of the rate.")
    flags.DEFINE_bool("train", True, "Train the runs that are missing.")
    flags.DEFINE_integer("epochs", 5, "Epochs of each run.", 1)


def build(rate: float, steps: int) -> Any:
    """Builds and compiles the network."""
    model = networks.builder("lenet_300_100")(
        keras, input_shape=(28, 28, 1), classes=10
    )
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        keras.optimizers.SGD(schedule, momentum=_MOMENTUM, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=_STEPS_PER_EXECUTION,
        jit_compile=False,
    )
    return model


def read() -> Any:
    """Reads training and test images as float32 in [0, 1]."""
    options = flags.FLAGS
    data = mnist.load(_SOURCES[options.data], options.data_dir)

    def scaled(images: np.ndarray) -> np.ndarray:
        return images[..., np.newaxis].astype(np.float32) / 255

    return (
        (scaled(data.train_images), data.train_labels.astype(np.int32)),
        (scaled(data.test_images), data.test_labels.astype(np.int32)),
    )


def train(rate: float, methods: Sequence[Any], seeds: int, data: Any) -> None:
    """Trains the missing runs of a rate."""
    epochs = measure.chosen("epochs")
    steps = epochs * (len(data[0][0]) // _BATCH_SIZE)

    def lenet_300_100() -> Any:
        return build(rate, steps)

    tf_rigl.sweep(
        lenet_300_100,
        data,
        methods,
        measure.chosen("sparsity", [0.98]),
        range(seeds),
        epochs=epochs,
        batch_size=_BATCH_SIZE,
        update_interval=_INTERVAL,
        folder=pathlib.Path(flags.FLAGS.output_dir) / f"rate_{rate:g}",
    )


def collect(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Reads the runs that there are, of all methods and rates."""
    found = []
    for path in sorted(folder.glob("rate_*/runs/*/results.json")):
        run = json.loads(path.read_text("utf-8"))
        settings = run["settings"]
        rate = path.parents[2].name.removeprefix("rate_")
        found.append(
            {
                "learning_rate": float(rate),
                **{name: settings[name] for name in _KEYS},
                "accuracy": run["measures"]["accuracy"],
                "training_flops": run["training_flops"],
                "seconds": run["seconds"],
            }
        )
    return found


def compare(runs: list[dict[str, Any]]) -> list[list[str]]:
    """Compares each method with RigL, and with the best of three, in points.

    Args:
        runs: those of one rate, as from `collect`.

    Returns:
        Rows of sparsity, method, runs, mean and lowest accuracy in %, and the
        two differences of means in pairs of one seed, ± their standard errors.
    """
    found: dict[float, dict[str, dict[int, float]]] = {}
    for run in runs:
        by_method = found.setdefault(run["sparsity"], {})
        by_seed = by_method.setdefault(run["method"], {})
        by_seed[run["seed"]] = 100 * run["accuracy"]

    rows = []
    for sparsity, methods in sorted(found.items()):
        baselines = {one: methods[one] for one in _BASELINES if one in methods}
        if not baselines:
            continue
        best = max(baselines, key=lambda one: np.mean([*methods[one].values()]))
        for name, by_seed in sorted(methods.items()):
            rows.append(
                [
                    f"{sparsity:.0%}",
                    name,
                    str(len(by_seed)),
                    f"{np.mean([*by_seed.values()]):.2f}",
                    f"{min(by_seed.values()):.2f}",
                    _difference(by_seed, methods.get("rigl", {})),
                    f"{_difference(by_seed, methods[best])} ({best})",
                ]
            )
    return rows


def _difference(one: dict[int, float], other: dict[int, float]) -> str:
    differences = [one[seed] - other[seed] for seed in one if seed in other]
    if not differences:
        return ""
    text = f"{np.mean(differences):+.2f}"
    if len(differences) > 1:
        error = np.std(differences, ddof=1) / np.sqrt(len(differences))
        text += f" ± {error:.2f}"
    return text


def main() -> list[dict[str, Any]]:
    folder = pathlib.Path(flags.FLAGS.output_dir)
    if flags.FLAGS.train:
        data = read()
        # Seed by seed, so that an interrupted grid is whole for those it has.
        for methods in _PASSES:
            for seeds in range(1, measure.chosen("rounds") + 1):
                for rate in measure.chosen("learning_rate", [0.2]):
                    train(rate, methods, seeds, data)

    runs = collect(folder)
    for rate in sorted({run["learning_rate"] for run in runs}):
        of_rate = [run for run in runs if run["learning_rate"] == rate]
        measure.print_table(f"rate {rate:g}", _COLUMNS, compare(of_rate))
    return runs


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=5)
