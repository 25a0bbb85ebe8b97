#!/usr/bin/env python3
"""Accuracy of networks whose weights are never trained: masks alone.

LeNet-300-100 with biases of zero, test accuracy for each seed:

* `edge_popup`: scores by SGD of 0.1, momentum 0.9 and a cosine, batches of 128;
  signed Kaiming constants at three densities, and Kaiming-normal values;
* `supermask`: logits by SGD of 100, momentum 0.9, batches of 250, of the
  layers' own values and of ±σ with their signs, rescaled or not; the mean of
  ten draws, and the masks of more than even odds;
* `heuristic`: a network is trained densely, pruned at once by a criterion to
  1 − 0.8^j (its output layer to 1 − 0.9^j), and given its initial values back,
  or ±σ with their signs; the best of the levels.

Usage: python benchmarks/supermasks.py [--data=mnist_small] [--rounds=2]
"""

import functools
import pathlib
import statistics
import sys
from collections.abc import Callable
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

KINDS = ("edge_popup", "supermask", "heuristic")
CRITERIA = (
    "random",
    "large_final",
    "large_final_same_sign",
    "large_final_diff_sign",
)
_DRAWS = 10
_DENSE_RATE, _DENSE_EPOCHS = 1.2e-3, 12


def define_flags() -> None:
    flags.DEFINE_enum("data", "mnist_small", ["mnist_small", "mnist"], "Data.")
    flags.DEFINE_string("data_dir", None, "Folder of prepared TFDS data.")
    flags.DEFINE_multi_enum("kind", [*KINDS], [*KINDS], "What to train.")
    flags.DEFINE_integer("steps", 2000, "Steps of training the masks.", 1)
    flags.DEFINE_integer("levels", 18, "Levels of pruning, of `heuristic`.", 1)


def measure_all(seed: int) -> dict[str, float]:
    """Returns accuracies in percent by the name of a row."""
    kinds: Mapping[str, Callable[[int], Mapping[str, float]]] = {
        "edge_popup": edge_popup,
        "supermask": supermask,
        "heuristic": heuristic,
    }
    accuracies = {}
    for kind in flags.FLAGS.kind:
        for row, accuracy in kinds[kind](seed).items():
            accuracies[row] = 100 * accuracy
            print(f"seed {seed}, {row}: {accuracies[row]:.2f} %", flush=True)
    return accuracies


def edge_popup(seed: int) -> dict[str, float]:
    found = {}
    for how, density in (
        ("signed_kaiming", 0.5),
        ("signed_kaiming", 0.3),
        ("signed_kaiming", 0.1),
        ("kaiming_normal", 0.5),
    ):
        model, splits = prepare(seed, 1 - density, batch_size=128)
        tf_rigl.reinitialize(model, how, seed=seed)
        rate = keras.optimizers.schedules.CosineDecay(
            0.1, measure.chosen("steps", 2)
        )
        train(model, splits, rate, tf_rigl.EdgePopup(seed=seed))
        found[f"edge-popup, {how}, {density:.0%} left"] = evaluate(
            splits, model
        )
    return found


def supermask(seed: int) -> dict[str, float]:
    found = {}
    for values in ("own", "constant"):
        for rescale in (False, True):
            model, splits = prepare(seed, 0.5, batch_size=250)
            if values == "constant":
                set_constants(model, tf_rigl.Snapshot.of(model))
            method = tf_rigl.Supermask(rescale=rescale, seed=seed)
            train(model, splits, 100.0, method)

            draws = tf_rigl.evaluate_samples(
                model, functools.partial(evaluate, splits), _DRAWS
            )
            row = f"supermask, {values}{', rescaled' if rescale else ''}"
            found[f"{row}, mean of {_DRAWS}"] = draws.mean
            tf_rigl.threshold_masks(model)
            found[f"{row}, thresholded"] = evaluate(splits, model)
    return found


def heuristic(seed: int) -> dict[str, float]:
    model, splits = prepare(seed, 0.0, batch_size=60)
    dense_masks = tf_rigl.masks(model)
    start = tf_rigl.Snapshot.of(model)
    found = {"untrained": evaluate(splits, model)}

    epochs = measure.chosen("steps", 0) and _DENSE_EPOCHS
    model.compile(keras.optimizers.Adam(_DENSE_RATE), loss())
    model.fit(splits.train, epochs=max(1, epochs), verbose=0)
    found["trained densely"] = evaluate(splits, model)
    end = tf_rigl.Snapshot.of(model)

    for criterion in CRITERIA:
        best = {"own": 0.0, "constant": 0.0}
        for level in range(1, measure.chosen("levels") + 1):
            tf_rigl.set_masks(model, dense_masks)
            end.restore(model)
            tf_rigl.prune(
                model,
                criterion,
                amount=1 - 0.8**level,
                rates={model.layers[-1]: 1 - 0.9**level},
                initial=start,
                seed=seed,
            )
            start.restore(model)
            best["own"] = max(best["own"], evaluate(splits, model))
            set_constants(model, start)
            best["constant"] = max(best["constant"], evaluate(splits, model))
        for values, accuracy in best.items():
            found[f"heuristic, {criterion}, {values}"] = accuracy
    return found


def prepare(
    seed: int, sparsity: float, batch_size: int
) -> tuple[Any, datasets.DataSplits]:
    """Builds the network, dense at first, and reads the data."""
    options = flags.FLAGS
    keras.utils.set_random_seed(seed)
    batching = Batching(batch_size, seed=seed)
    splits = data_sets.splits(options.data, batching, options.data_dir)
    model = networks.builder("lenet_300_100")(
        keras,
        input_shape=splits.info.example_shape,
        classes=splits.info.classes,
    )
    tf_rigl.sparsify(model, sparsity, "uniform", start="dense")
    return model, splits


def set_constants(model: Any, start: Any) -> None:
    """Sets weights to ±σ with the signs of the initial values."""
    tf_rigl.reinitialize(model, "constant", keep_sign=True, initial=start)


def train(
    model: Any, splits: datasets.DataSplits, rate: Any, method: Any
) -> None:
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), loss())
    model.fit(
        splits.train.repeat(),
        steps_per_epoch=measure.chosen("steps", 2),
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(method)],
    )


def evaluate(splits: datasets.DataSplits, model: Any) -> float:
    """Returns the accuracy on the test set, a fraction."""
    metric = keras.metrics.SparseCategoricalAccuracy()
    for images, labels in splits.evaluation:
        metric.update_state(labels, model(images))
    return float(metric.result())


def loss() -> Any:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def main() -> dict[str, list[float]]:
    seeds = [measure_all(seed) for seed in range(measure.chosen("rounds"))]
    found = {name: [one[name] for one in seeds] for name in seeds[0]}
    rows = []
    for name, values in found.items():
        text = f"{statistics.mean(values):.2f}"
        if len(values) > 1:
            text += f" ± {statistics.stdev(values):.2f}"
        rows.append([name, text])
    measure.print_table(
        f"{flags.FLAGS.data}, test accuracy, mean ± standard deviation",
        ["", "%"],
        rows,
    )
    return found


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=2)
