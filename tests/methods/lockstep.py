"""The library and an oracle side by side, compared after every step."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

import tf_rigl
from tests import support
from tests.methods import network
from tests.methods import training as oracle_training

STEPS = 50
SPARSITY = 0.6
TARGETS = tf_rigl.allocate(
    {path: network.SHAPES[path] for path in network.KERNELS}, SPARSITY
)


def make_model(keras):
    dense = keras.layers.Dense
    double = {"dtype": "float64"}
    model = keras.Sequential(
        [
            keras.Input((network.INPUTS,), **double),
            dense(network.HIDDEN, activation="relu", name="hidden", **double),
            dense(network.OUTPUTS, name="outputs", **double),
        ]
    )
    model.set_weights(list(network.make_values().values()))
    return model


def crossentropy(labels, logits):
    """The mean in float64; Keras's own losses would round to float32."""
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    )


@dataclasses.dataclass(frozen=True)
class Step:
    masks: Mapping[str, np.ndarray]
    values: Sequence[np.ndarray]  # of all weights, as in `network.SHAPES`
    momentum: Sequence[np.ndarray]


def run_library(keras, algorithm, sparsify, compiled):
    """Trains by the library: the masks to begin with, and all `STEPS`."""
    model = make_model(keras)
    tf_rigl.sparsify(model, SPARSITY, **sparsify)
    initial = tf_rigl.masks(model)
    optimizer = keras.optimizers.SGD(
        oracle_training.LEARNING_RATE, momentum=oracle_training.MOMENTUM
    )
    # With its variables made, a function need not be traced twice.
    optimizer.build(model.trainable_variables)
    tf_rigl.attach(optimizer, model, algorithm)
    library_step = support.make_step(keras, model, optimizer, crossentropy)
    if compiled:
        library_step = tf.function(library_step)

    steps = []
    for batch in network.make_batches(STEPS):
        library_step(*map(tf.constant, batch))
        values, momentum = (
            [variable.numpy() for variable in variables]
            for variables in (model.trainable_variables, optimizer.momentums)
        )
        steps.append(Step(tf_rigl.masks(model), values, momentum))
    return initial, steps


def compare(library, oracle, conserves=lambda masks, step: None, tolerance=0):
    """Runs an oracle beside what the library did, as `run_library` returned it.

    An AssertionError says in which step the two differ, or where the library
    does not conserve what `conserves(masks, step)` asserts.
    """
    initial, steps = library
    training = oracle_training.begin(
        network.make_values(), initial, oracle.targets(TARGETS)
    )
    oracle.begin(training)
    for number, batch in enumerate(network.make_batches(STEPS)):
        oracle.step(training, batch, number)
        found = steps[number]
        assert_same_masks(found.masks, training, number)
        assert_same_values(found, training, number, tolerance)
        conserves(found.masks, number)


def assert_same_masks(masks, training, step):
    assert masks.keys() == training.masks.keys()
    for path, mask in masks.items():
        np.testing.assert_array_equal(
            mask, training.masks[path], f"mask of {path}, step {step}"
        )


def assert_same_values(found, training, step, tolerance):
    for index, path in enumerate(network.SHAPES):
        for kind, actual, expected in (
            ("values", found.values, training.values),
            ("momentum", found.momentum, training.velocity),
        ):
            np.testing.assert_allclose(
                actual[index],
                expected[path],
                rtol=tolerance,
                atol=1e-3 * tolerance,
                err_msg=f"{kind} of {path}, step {step}",
            )
