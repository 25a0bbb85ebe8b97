#!/usr/bin/env python3
"""Quality of gradual pruning by this library, compared with TFMOT.

Trains the character GRU of `configs/sweeps/character_rnn.flags` in tf_keras
with TFMOT's wrappers, with `UpdateMasks`, and with static random masks, from
the same initial values, on the same batches, with the same optimizer and
`PolynomialDecay`. All kernels get the same sparsity, as TFMOT supports no
other distribution. Prints bits per character.

Usage: python benchmarks/pruning_tfmot.py --data_dir=FOLDER [--sparsity=0.95]
"""

import math
import pathlib
import sys
from typing import Any

# Imported first, because it decides which Keras `tf.keras` is.
import tensorflow_model_optimization as tfmot  # isort: skip
import tf_keras
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tf_rigl
from benchmarks import measure
from tf_rigl.data import text
from tf_rigl.data.batching import Batching
from tf_rigl.experiments.runs import optimization
from tf_rigl.models import character_rnn

_CONTENDERS = ("tfmot", "tf_rigl", "static")
_BATCH_SIZE = 32
_LENGTH = 64
_LEARNING_RATE = 0.005
_UPDATE_INTERVAL = 100
_STOP_FRACTION = 0.75
_EVALUATION_STEPS = 200


def define_flags() -> None:
    flags.DEFINE_string("data_dir", None, "Folder of text.", required=True)
    flags.DEFINE_float("sparsity", 0.95, "Fraction of zeros.", 0.0, 1.0)
    flags.DEFINE_integer("steps", 2000, "Optimizer steps.", 1)


def train(contender: str, seed: int) -> float:
    """Trains and evaluates a model; returns bits per character."""
    tf_keras.utils.set_random_seed(seed)
    steps = measure.chosen("steps", 2)
    evaluation_steps = 1 if flags.FLAGS.smoke else _EVALUATION_STEPS
    data = text.splits(
        Batching(_BATCH_SIZE, seed=seed), flags.FLAGS.data_dir, time=_LENGTH
    )

    model = character_rnn.character_rnn(tf_keras, width=0.25, length=_LENGTH)
    model, callbacks = pruned(contender, model, steps, seed)
    decay = optimization.RateSchedule("cosine", _LEARNING_RATE, steps)

    model.compile(
        tf_keras.optimizers.Adam(optimization.keras_schedule(tf_keras, decay)),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        data.train.repeat(),
        steps_per_epoch=steps,
        callbacks=callbacks,
        verbose=0,
    )
    loss = model.evaluate(data.evaluation.take(evaluation_steps), verbose=0)
    return loss / math.log(2)


def pruned(
    contender: str, model: Any, steps: int, seed: int
) -> tuple[Any, list[Any]]:
    """Returns the model, prepared, and the callbacks that prune it."""
    sparsity = flags.FLAGS.sparsity
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        0.0,
        sparsity,
        begin_step=0,
        end_step=int(_STOP_FRACTION * steps),
        frequency=_UPDATE_INTERVAL,
    )
    if contender == "static":
        model = tf_rigl.sparsify(model, sparsity, "uniform", seed=seed)
        return model, [tf_rigl.UpdateMasks(tf_rigl.Static())]

    policy = _DenseEmbedding()
    if contender == "tf_rigl":
        model = tf_rigl.tfmot.prepare(model, schedule, policy)
        pruning = tf_rigl.tfmot.pruning(schedule)
        return model, [tf_rigl.UpdateMasks(pruning)]
    model = tfmot.sparsity.keras.prune_low_magnitude(
        model, schedule, pruning_policy=policy
    )
    return model, [tfmot.sparsity.keras.UpdatePruningStep()]


class _DenseEmbedding(tfmot.sparsity.keras.PruningPolicy):
    """Policy that prunes the weights that `sparsify` masks by default."""

    def allow_pruning(self, layer: Any) -> bool:
        return not isinstance(layer, tf_keras.layers.Embedding)

    def ensure_model_supports_pruning(self, model: Any) -> None:
        del model


def main() -> dict[str, list[float]]:
    rounds = measure.chosen("rounds")
    results = {
        contender: [train(contender, seed) for seed in range(rounds)]
        for contender in _CONTENDERS
    }

    measure.print_table(
        "bits per character",
        ["", *(f"seed {seed}" for seed in range(rounds))],
        [
            [contender, *(f"{one:.4f}" for one in bits)]
            for contender, bits in results.items()
        ],
    )
    return results


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=3)
