#!/usr/bin/env python3
"""Trains a small sparse network on a TPU and checks that its masks are right.

Twenty steps of RigL, ten in each execution, two of them mask updates. Then
each mask must have exactly its connections, some of them moved, every weight
must be zero where it is masked, and all replicas must hold the same. Any
strategy takes the same path, so that it can be tried without a TPU.

Example:
    python bin/tpu_smoke.py --tpu=local
    python bin/tpu_smoke.py --strategy=mirrored --devices=2
"""

from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

import tf_rigl
from tf_rigl.experiments import keras_modules
from tf_rigl.experiments import strategies
from tf_rigl.experiments import terminal
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights

_STEPS = 20
_STEPS_PER_EXECUTION = 10
_UPDATE_INTERVAL = 10
_UPDATES = _STEPS // _UPDATE_INTERVAL
_REPLICA_BATCH = 8
_SHAPE, _CLASSES = (32, 32, 3), 10
_SPARSITY = 0.8


def define_flags() -> None:
    """Defines the flags of this program."""
    flags.DEFINE_enum(
        "strategy", "tpu", strategies.STRATEGIES, "What to train on."
    )
    flags.DEFINE_string("tpu", "local", "Name or address of the TPU.")
    flags.DEFINE_integer("devices", None, "Logical processors of 'mirrored'.")
    flags.DEFINE_enum(
        "keras", "keras2", list(keras_modules.MODULES), "With which Keras."
    )


def make_model(keras: Any) -> Any:
    """Makes convolutions and dense layers, sparse."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(_SHAPE),
            layers.Conv2D(16, 3, strides=2, activation="relu"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(_CLASSES),
        ]
    )
    # With ERK the last layer would be dense, and no mask of it be updated.
    return tf_rigl.sparsify(model, _SPARSITY, distribution="uniform")


def make_dataset(batch_size: int) -> tf.data.Dataset:
    """Draws images and labels, one batch for each step."""
    random = np.random.default_rng(0)
    images = random.normal(size=(batch_size * _STEPS, *_SHAPE))
    labels = random.integers(0, _CLASSES, batch_size * _STEPS)
    return tf.data.Dataset.from_tensor_slices(
        (images.astype(np.float32), labels.astype(np.int32))
    ).batch(batch_size, drop_remainder=True)


def train(keras: Any, strategy: tf.distribute.Strategy) -> Any:
    """Trains a model by RigL on a strategy; returns it."""
    with strategy.scope():
        model = make_model(keras)
        model.compile(
            keras.optimizers.SGD(0.05, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            steps_per_execution=_STEPS_PER_EXECUTION,
            # A TPU compiles without being asked.
            jit_compile=False,
        )

    algorithm = tf_rigl.RigL(_STEPS, _UPDATE_INTERVAL)
    model.fit(
        make_dataset(_REPLICA_BATCH * strategy.num_replicas_in_sync),
        callbacks=[tf_rigl.UpdateMasks(algorithm)],
        verbose=2,
    )
    return model


def problems(strategy: tf.distribute.Strategy, weight: MaskedWeight) -> str:
    """Names what is wrong with a weight that was trained, if anything."""
    mask, values = weight.mask.numpy(), weight.values().numpy()
    updates, moved, skipped = weight.counters.numpy()
    found = []
    if np.count_nonzero(mask) != weight.target:
        found.append(f"{weight.target} connections were allotted")
    if (updates, skipped) != (_UPDATES, 0):
        found.append(f"{updates} mask updates and {skipped} left out")
    if not moved:
        found.append("no connection moved")
    if np.any(values[~mask]):
        found.append("not zero where masked")
    if not np.all(np.isfinite(values)):
        found.append("not finite")

    for one in weight.storage.variables:
        first, *others = strategy.experimental_local_results(one)
        if any(np.any(first.numpy() != other.numpy()) for other in others):
            found.append("replicas differ")
    return ", ".join(found)


def smoke() -> int:
    """Trains and checks.

    Returns:
        The exit code: 0, or 1 if there is no such device or a check fails.
    """
    options = flags.FLAGS
    try:
        strategy = strategies.make_strategy(
            options.strategy,
            options.keras,
            devices=options.devices,
            tpu=options.tpu if options.strategy == "tpu" else "",
            steps_per_execution=_STEPS_PER_EXECUTION,
        )
    except ValueError as error:
        return terminal.fail(error)

    print(
        f"{type(strategy).__name__}, {strategy.num_replicas_in_sync} replicas"
    )

    model = train(keras_modules.load_keras(options.keras), strategy)
    failed = False
    for weight in masked_weights(model):
        wrong = problems(strategy, weight)
        failed = failed or bool(wrong)
        print(
            f"{weight.path}: {weight.num_active()} of {weight.size} "
            f"connections, {weight.counters.numpy()[1]} moved: "
            f"{wrong or 'right'}"
        )
    print("Failed." if failed else "All masks are right.")
    return terminal.FAILURE if failed else 0


if __name__ == "__main__":
    define_flags()
    terminal.start(smoke, catch=())
