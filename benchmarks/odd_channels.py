#!/usr/bin/env python3
"""Batch normalization of any number of channels, in training on a CPU.

Takes turns with the output and all gradients of one layer, for images of 16×16,
in both Kerases. Ratios are to the next multiple of four channels within the
same round.

Usage: python benchmarks/odd_channels.py [--channels=13 --channels=45]
    [--batch_size=64] [--threads=1]
"""

import pathlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import tensorflow as tf
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import measure
from tf_rigl.experiments import keras_modules

_SIZE = 16
_MULTIPLE = 4


def define_flags() -> None:
    flags.DEFINE_multi_integer("channels", [5, 14, 31, 45], "Channels.")
    flags.DEFINE_integer("batch_size", 64, "Images of a step.")
    flags.DEFINE_integer("calls", 20, "Steps of a round.", lower_bound=1)
    flags.DEFINE_integer("threads", 1, "Threads of an operation.")


def make_step(keras: ModuleType, channels: int) -> Callable[[], Any]:
    """Returns a function that computes one output with its gradients."""
    layer = keras.layers.BatchNormalization()
    shape = (flags.FLAGS.batch_size, _SIZE, _SIZE, channels)
    inputs = tf.random.stateless_normal(shape, seed=(0, channels))
    layer.build(inputs.shape)

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(layer(inputs, training=True) ** 2)
        return tape.gradient(loss, [inputs, *layer.trainable_variables])

    step()
    return step


def main() -> dict[str, dict[str, list[float]]]:
    tf.config.threading.set_intra_op_parallelism_threads(flags.FLAGS.threads)
    references: dict[str, str] = {}
    for channels in flags.FLAGS.channels:
        multiple = str(-(-channels // _MULTIPLE) * _MULTIPLE)
        references |= {str(channels): multiple, multiple: multiple}

    measured = {}
    for flavor in keras_modules.MODULES:
        keras = keras_modules.load_keras(flavor)
        steps = {name: make_step(keras, int(name)) for name in references}
        own = measure.alternate_timed(steps, measure.chosen("calls"))
        measured[keras.__name__] = own
        measure.print_ratios(keras.__name__, own, references)
    return measured


if __name__ == "__main__":
    measure.start(main, define_flags, rounds=7)
