#!/usr/bin/env python3
"""Whether the sum of gradients needs all positions, or all bits.

RigL's `gradient_steps` sums dense gradients over the steps up to a mask update,
which takes four bytes an element. This trains LeNet-300-100 and asks, at each
update, how many of the connections that the mean gradient would grow

* are among the c times as many of largest gradient in the first of these steps,
  so that only those positions would have to be summed, and
* would be grown by a sum in bfloat16, in half of the memory.

Usage: python benchmarks/gradient_candidates.py [--sparsity=0.98] [--rounds=3]
"""

import pathlib
import sys
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.data import registry as data_sets
from tf_rigl.data.batching import Batching
from tf_rigl.models import registry as networks

_INTERVAL = 100
_FRACTION = 0.3
_FACTORS = (1, 2, 4, 8, 16)


def define_flags() -> None:
    flags.DEFINE_string("data", "mnist_small", "Data set.")
    flags.DEFINE_string("data_dir", None, "Folder of prepared TFDS data.")
    flags.DEFINE_float("sparsity", 0.98, "Sparsity.")
    flags.DEFINE_integer("gradient_steps", 20, "Steps that are summed.", 1)
    flags.DEFINE_integer("updates", 8, "Mask updates.", 1)
    flags.DEFINE_float("learning_rate", 0.1, "Constant learning rate.")


def share_all(seed: int) -> list[dict[str, float]]:
    """Trains a network; returns the shares at each update of each weight."""
    options = flags.FLAGS
    keras.utils.set_random_seed(seed)
    batching = Batching(128, seed=seed, endless=True)
    splits = data_sets.splits(options.data, batching, options.data_dir)
    model = networks.builder("lenet_300_100")(
        keras, input_shape=splits.info.example_shape, classes=10
    )
    tf_rigl.sparsify(model, options.sparsity, seed=seed)
    optimizer = keras.optimizers.SGD(
        options.learning_rate, momentum=0.9, nesterov=True
    )
    optimizer.build(model.trainable_variables)
    steps = _INTERVAL * measure.chosen("updates") + 1
    method = tf_rigl.RigL(
        steps,
        gradient_steps=options.gradient_steps,
        drop_fraction=_FRACTION,
        decay="constant",
    )
    tf_rigl.attach(optimizer, model, method)
    loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def train(images: tf.Tensor, labels: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_function(labels, model(images, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
        return gradients

    names = [variable.path for variable in model.trainable_variables]
    shares: list[dict[str, float]] = []
    window: list[dict[str, np.ndarray]] = []
    for step, batch in zip(range(steps), splits.train, strict=False):
        masks = {
            name: mask
            for name, mask in tf_rigl.masks(model).items()
            if not mask.all()
        }
        arrays = dict(zip(names, map(np.array, train(*batch)), strict=True))
        window.append({name: arrays[name] for name in masks})
        window = window[-options.gradient_steps :]
        if step and step % _INTERVAL == 0:
            shares += [
                share_one(mask, [one[name] for one in window])
                for name, mask in masks.items()
            ]
    return shares


def share_one(mask: np.ndarray, window: list[np.ndarray]) -> dict[str, float]:
    """Returns the share of the grown positions that each way would find.

    Args:
        mask: bool, the connections before the update.
        window: gradients of the steps up to it, of the mask's shape.
    """
    free = np.flatnonzero(~mask)
    count = int(_FRACTION * np.count_nonzero(mask))
    flat = [gradient.ravel()[free] for gradient in window]
    grown = largest(np.sum(flat, axis=0), count)
    shares = {}
    for factor in _FACTORS:
        candidates = largest(flat[0], factor * count)
        shares[f"first, {factor} x"] = len(grown & candidates) / count

    total = tf.zeros(len(free), tf.bfloat16)
    for gradient in flat:
        total += tf.cast(gradient, tf.bfloat16)
    rounded = largest(tf.cast(total, tf.float32).numpy(), count)
    shares["bfloat16"] = len(grown & rounded) / count
    return shares


def largest(values: np.ndarray, count: int) -> set[int]:
    """Returns the positions of the largest magnitudes."""
    return set(np.argsort(-np.abs(values), kind="stable")[:count].tolist())


def main() -> dict[str, list[float]]:
    found = [
        shares
        for seed in range(measure.chosen("rounds"))
        for shares in share_all(seed)
    ]
    results = {name: [one[name] for one in found] for name in found[0]}
    rows = [
        [name, f"{np.mean(values):.1%}", f"{min(values):.1%}"]
        for name, values in results.items()
    ]
    measure.print_table(
        "Share of the grown connections that are found",
        ["", "mean", "lowest"],
        rows,
    )
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=3)
