#!/usr/bin/env python3
"""Accuracy of a champion on digits, beside random topologies and a linear one.

Compared with the champion of a search (`tf-rigl wann --task=digits`) are
networks of as many connections: topologies that as many mutations have made
which nothing has selected, and a linear classifier with random connections.
Each is measured on the test images with its best shared weight, which the
training images decide, by the vote of the six shared weights, and after all its
weights were trained by Adam from the best shared weight on, with the
connections it has and with those that RigL moves them to. Without --champion a
search of --generations comes first.

Usage: python benchmarks/wann_digits.py \
    [--champion=runs/wann/digits/champion.npz] [--rounds=5] [--epochs=20]
"""

import pathlib
import statistics
import sys

import numpy as np
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl import wann
from tf_rigl.experiments import keras_modules
from tf_rigl.wann import genome as genomes
from tf_rigl.wann import mutation
from tf_rigl.wann import searching

_BATCHES = 5  # of 1,000 images, to choose a shared weight by
_COLUMNS = ("best shared weight", "vote", "trained", "trained by RigL")


def define() -> None:
    flags.DEFINE_string("champion", "", "File of a search's champion.")
    flags.DEFINE_integer(
        "generations", 20, "Generations without --champion.", lower_bound=1
    )
    flags.DEFINE_integer(
        "population", 200, "Their networks, likewise.", lower_bound=2
    )
    flags.DEFINE_integer("epochs", 20, "Epochs of training.", lower_bound=1)
    flags.DEFINE_integer("workers", 1, "Processes of the search.")


def main() -> dict[str, list[dict[str, float]]]:
    task = wann.Digits()
    champion = _champion(task)
    print(f"Champion: {champion}")
    draws = range(measure.chosen("rounds"))
    count = champion.connections
    groups = {
        "champion": [champion],
        "random topologies": [grow(task, count, seed) for seed in draws],
        "linear": [draw_linear(task, count, seed) for seed in draws],
    }
    found = {
        name: [_measure(task, one) for one in group]
        for name, group in groups.items()
    }
    measure.print_table(
        f"Test accuracy with {count:,} connections, mean (lowest to highest)",
        ["", *_COLUMNS],
        [
            [name, *(_cell([one[c] for one in rows]) for c in _COLUMNS)]
            for name, rows in found.items()
        ],
    )
    return found


def _champion(task: wann.Digits) -> wann.Genome:
    if flags.FLAGS.champion:
        with np.load(flags.FLAGS.champion) as arrays:
            return wann.Genome(**arrays)
    return wann.search(
        task,
        measure.chosen("population", 4),
        measure.chosen("generations", 2),
        workers=flags.FLAGS.workers,
        on_generation=print,
    ).best


def grow(task: wann.Task, connections: int, seed: int) -> wann.Genome:
    """Makes a network of random mutations with a number of connections."""
    generator = np.random.default_rng(seed)
    possible = (1 + task.inputs) * task.outputs
    # As sparse at the start as a search, or sparse enough to grow at all.
    connect = min(task.defaults.connect, 0.5 * connections / possible)
    one = genomes.start(task.inputs, task.outputs, generator, connect)
    innovations = mutation.Innovations.after(one)
    while one.connections < connections:
        one = mutation.mutate(one, generator, innovations, task.functions)
    return one


def draw_linear(task: wann.Task, connections: int, seed: int) -> wann.Genome:
    """Makes a network without hidden nodes with random connections."""
    generator = np.random.default_rng(seed)
    one = genomes.start(task.inputs, task.outputs, generator, connect=0.0)
    enabled = np.zeros(len(one.enabled), bool)
    count = min(connections, len(enabled))
    enabled[generator.permutation(len(enabled))[:count]] = True
    return one.replace(enabled=enabled)


def _measure(task: wann.Digits, one: wann.Genome) -> dict[str, float]:
    best = wann.best_weight(one, task, episodes=_BATCHES).weight
    images, labels = task.images[2:]
    voters = wann.ensemble(one, searching.SHARED_WEIGHTS)
    values = (
        task.accuracy(one, best),
        float(np.mean(voters(images) == labels)),
        _train(task, one, best, tf_rigl.Static()),
        _train(task, one, best, tf_rigl.RigL(update_interval=20)),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def _train(
    task: wann.Digits,
    one: wann.Genome,
    weight: float,
    algorithm: tf_rigl.algorithms.Algorithm,
) -> float:
    keras = keras_modules.load_keras("keras3")
    keras.utils.set_random_seed(0)
    model = wann.to_keras(one, keras, weight=weight)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    images, labels = task.images[:2]
    model.fit(
        images,
        labels,
        batch_size=100,
        epochs=measure.chosen("epochs"),
        verbose=0,
        callbacks=[tf_rigl.UpdateMasks(algorithm)],
    )
    return float(model.evaluate(*task.images[2:], verbose=0)[1])


def _cell(values: list[float]) -> str:
    mean = statistics.fmean(values)
    return f"{mean:.2%} ({min(values):.2%} to {max(values):.2%})"


if __name__ == "__main__":
    measure.start(main, define, rounds=5)
