#!/usr/bin/env python3
"""Time to drop and grow connections of ResNet-50, by selection and sorting.

Each run updates the masks of all 54 kernels (25.5 million weights with random
values, sparsity 0.9, ERK) and moves 30 % of their connections:

* selection: `tf_rigl.drop_and_grow`, plain and with XLA,
* sorting: the rule of google-research/rigl, which sorts each weight twice
  with a full `top_k`, plain and with XLA,
* jaxpruner's RigL on JAX, where both are installed.

First checks that selection and sorting give the same masks. The runs take
turns, and ratios are taken within rounds.

Usage: python benchmarks/mask_update.py [--rounds=5]
"""

import functools
import importlib
import pathlib
import sys
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.models import mlp

_DROP_FRACTION = 0.3
_REFERENCE = "sorting"
# Not among the requirements: measured only if they are installed.
_JAX_PEER = ("jax", "jaxpruner")

Update = Callable[..., tf.Tensor]


class Problem(NamedTuple):
    """Values, masks and gradients, with an entry for each masked weight."""

    weights: list[np.ndarray]  # float32, zeros where masked
    masks: list[np.ndarray]  # bool
    gradients: list[np.ndarray]  # float32, dense


def make_problem(model: Any) -> Problem:
    """Makes ERK masks, random values and random gradients for a model."""
    masks = list(tf_rigl.masks(tf_rigl.sparsify(model, 0.9)).values())
    generator = np.random.default_rng(0)

    def values(mask: np.ndarray) -> np.ndarray:
        return generator.standard_normal(mask.shape, np.float32)

    return Problem(
        [np.where(mask, values(mask), np.float32(0)) for mask in masks],
        masks,
        [values(mask) for mask in masks],
    )


def by_sorting(
    weights: tf.Tensor, mask: tf.Tensor, gradient: tf.Tensor, count: tf.Tensor
) -> tf.Tensor:
    """Updates a mask by two full sorts, as google-research/rigl does."""
    connections = tf.reduce_sum(tf.cast(mask, tf.int32))
    magnitudes = tf.abs(weights) * tf.cast(mask, weights.dtype)
    kept = _first_when_sorted(magnitudes, connections - count)
    scores = tf.reshape(tf.abs(gradient), [-1])
    # Kept connections get the lowest scores: they cannot be grown.
    lifted = tf.where(kept, tf.reduce_min(scores) - 1, scores)
    grown = _first_when_sorted(lifted, count)
    return tf.reshape(kept | grown, mask.shape)


def _first_when_sorted(scores: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Marks the entries with the highest scores, bool [size]."""
    flat = tf.reshape(scores, [-1])
    size = flat.shape[0]
    _, order = tf.math.top_k(flat, k=size)
    chosen = tf.cast(tf.range(size) < count, tf.int32)
    marks = tf.scatter_nd(order[:, tf.newaxis], chosen, [size])
    return marks > 0


def compiled(
    update: Update, problem: Problem, jit_compile: bool
) -> Callable[[], list[tf.Tensor]]:
    """Makes a function that updates all masks in one graph."""

    @tf.function(jit_compile=jit_compile, autograph=False)
    def update_all(
        weights: list[tf.Tensor],
        masks: list[tf.Tensor],
        gradients: list[tf.Tensor],
    ) -> list[tf.Tensor]:
        counts = [int(_DROP_FRACTION * mask.sum()) for mask in problem.masks]
        return [
            update(*each)
            for each in zip(weights, masks, gradients, counts, strict=True)
        ]

    return functools.partial(
        update_all, *([tf.constant(one) for one in part] for part in problem)
    )


def on_jax(problem: Problem) -> Callable[[], Any] | None:
    """Makes the update by jaxpruner's RigL; None if it is not installed."""
    try:
        jax, jaxpruner = map(importlib.import_module, _JAX_PEER)
    except ImportError:
        return None

    # The default drop fraction of jaxpruner is 0.3.
    updater = jaxpruner.RigL()

    @jax.jit
    def update_all(weights: Any, masks: Any, gradients: Any) -> Any:
        state = jaxpruner.SparseState(masks=masks, inner_state=(), count=0)
        return updater.update_state(state, weights, gradients).masks

    masks = [mask.astype(np.uint8) for mask in problem.masks]
    arrays = jax.device_put(problem._replace(masks=masks))
    return lambda: jax.block_until_ready(update_all(*arrays))


def check_same(
    updates: dict[str, Callable[[], list[tf.Tensor]]], masks: Sequence[Any]
) -> None:
    """Raises a ValueError unless all updates give the same masks.

    A few entries may differ because of ties. The calls compile the updates.
    """
    expected = updates[_REFERENCE]()
    moved = sum(
        np.count_nonzero(new.numpy() & ~old)
        for new, old in zip(expected, masks, strict=True)
    )

    for name, update in updates.items():
        different = sum(
            np.count_nonzero(one.numpy() != other.numpy())
            for one, other in zip(update(), expected, strict=True)
        )
        print(f"{name}: {different} entries differ from {_REFERENCE}'s")
        if different > moved // 10_000:
            raise ValueError(
                "The masks must be the same but for ties. Received: "
                f"{different} entries of {name!r} differ."
            )


def update_once(update: Callable[[], Any]) -> None:
    """Updates all masks and waits for the device."""
    result = update()
    if isinstance(result[0], tf.Tensor):
        result[-1].numpy()


def main() -> dict[str, list[float]]:
    if flags.FLAGS.smoke:
        model = mlp.lenet_300_100(keras)
    else:
        model = keras.applications.ResNet50(weights=None)

    problem = make_problem(model)
    elements = sum(mask.size for mask in problem.masks)
    print(
        f"{model.name}: {len(problem.masks)} masked weights, "
        f"{elements:,} elements"
    )

    def by_selection(*each: tf.Tensor) -> tf.Tensor:
        return tf_rigl.drop_and_grow(*each).mask

    updates = {
        f"{name}{', XLA' if jit_compile else ''}": compiled(
            update, problem, jit_compile
        )
        for name, update in (
            (_REFERENCE, by_sorting),
            ("selection", by_selection),
        )
        for jit_compile in (False, True)
    }
    check_same(updates, problem.masks)
    peer = on_jax(problem)
    if peer is None:
        print("jaxpruner: not installed")
    else:
        peer()  # compiles
        updates["jaxpruner"] = peer

    measured = measure.alternate_timed(
        {
            name: functools.partial(update_once, update)
            for name, update in updates.items()
        }
    )
    measure.print_ratios(
        "One update of all masks",
        measured,
        dict.fromkeys(measured, _REFERENCE),
    )
    return measured


if __name__ == "__main__":
    measure.start(main, lambda: None, rounds=5)
