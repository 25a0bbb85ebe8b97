#!/usr/bin/env python3
"""Trains a small sparse network on a TPU and checks that its masks are right.

Takes twenty steps of RigL, ten per execution, two of which update masks. After
that each mask must have exactly its number of connections, some of which have
moved, every weight must be zero where it is masked, and all replicas must hold
the same values. It runs with any strategy, so that it can be tried without a
TPU.

Example:
    python bin/tpu_smoke.py --tpu=local
    python bin/tpu_smoke.py --strategy=mirrored --devices=2
"""

from typing import Any

import numpy as np
import tensorflow as tf
from absl import flags

import tf_rigl
from tf_rigl.experiments import fields
from tf_rigl.experiments import terminal
from tf_rigl.experiments.runs import setup
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.masking.masked_weight import MaskedWeight
from tf_rigl.masking.masked_weight import masked_weights

_STEPS = 20
_UPDATES = 2


def define_flags() -> None:
    fields.define_flags(
        RunSettings,
        defaults={"strategy": "tpu", "tpu": "local", "keras": "keras2"},
        names=("strategy", "tpu", "devices", "keras"),
    )


def chosen_settings() -> RunSettings:
    """Returns the settings of a short run on the devices of the flags."""
    options = flags.FLAGS

    return RunSettings(
        model="lenet_5",
        data="synthetic_cifar10",
        sparsity=0.8,
        # With ERK the last layer would be dense and its mask never updated.
        distribution="uniform",
        batch_size=64,
        steps_per_epoch=_STEPS,
        steps_per_execution=_STEPS // _UPDATES,
        keras=options.keras,
        strategy=options.strategy,
        devices=options.devices,
        tpu=options.tpu if options.strategy == "tpu" else "",
    )


def train(run: setup.PreparedRun) -> Any:
    model = setup.build_compiled(run)
    algorithm = tf_rigl.RigL(_STEPS, _STEPS // _UPDATES)
    model.fit(
        setup.load_data(run).train,
        steps_per_epoch=_STEPS,
        callbacks=[tf_rigl.UpdateMasks(algorithm)],
        verbose=2,
    )
    return model


def problems(strategy: tf.distribute.Strategy, weight: MaskedWeight) -> str:
    """Describes the errors of a trained weight; "" if there are none."""
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
    """Trains a model and checks its masks.

    Returns:
        The exit code: 0, or 1 if the device is missing or a check fails.
    """
    try:
        run = setup.prepare(chosen_settings())
    except ValueError as error:
        return terminal.fail(error)
    strategy = run.strategy
    print(
        f"{type(strategy).__name__}, {strategy.num_replicas_in_sync} replicas"
    )

    model = train(run)
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
