"""Averages of normalization at the points of a line between two networks."""

import numpy as np
import tensorflow as tf

import tf_rigl
from tests import support
from tests.tickets.barriers import ALPHAS
from tests.tickets.barriers import POINTS
from tests.tickets.barriers import batches
from tests.tickets.barriers import between
from tests.tickets.barriers import snapshot_of_random
from tests.tickets.barriers import values_of


@support.keras_in_turn("as_dataset", [True, False])
def test_averages_are_means_over_batches(keras, as_dataset):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((20,)),
            layers.Dense(6, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(4, name="second"),
            layers.BatchNormalization(name="frozen", trainable=False),
            counter(keras),
        ]
    )
    first, second = (snapshot_of_random(model, seed) for seed in (1, 2))
    data = batches((20,))
    given = data
    if as_dataset:
        examples = map(np.concatenate, zip(*data, strict=True))
        given = tf.data.Dataset.from_tensor_slices(tuple(examples)).batch(32)
    seen = []

    def evaluate(model):
        seen.append(values_of(model))
        return 0

    tf_rigl.error_barrier(model, first, second, evaluate, POINTS, given)

    for alpha, found in zip(ALPHAS, seen, strict=True):
        expected = between(first, second, alpha)
        kernel, bias = expected[:2]
        outputs = [
            inputs.astype("float64") @ kernel + bias for inputs, _ in data
        ]
        expected[4] = np.mean([one.mean(axis=0) for one in outputs], axis=0)
        expected[5] = np.mean([one.var(axis=0) for one in outputs], axis=0)
        averages, others = [4, 5], [0, 1, 2, 3, *range(6, len(expected))]
        for index in averages:
            np.testing.assert_allclose(found[index], expected[index], 1e-5)
        for index in others:
            np.testing.assert_array_equal(found[index], expected[index])
    assert model.get_layer("norm").momentum == 0.99
    assert model.get_layer("frozen").momentum == 0.99


def counter(keras):
    """A layer that notes something else in training mode, as others may."""

    class Counter(keras.layers.Layer):
        def build(self, shape):
            self.calls = self.add_weight(
                name="calls", shape=(), initializer="zeros", trainable=False
            )

        def call(self, inputs, training=False):
            if training:
                self.calls.assign(self.calls + 1.0)
            return inputs

    return Counter()


def test_averages_of_images(keras):
    """As Keras takes them: tf_keras divides by n - 1 in its fused kernel."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, name="conv"),
            layers.BatchNormalization(momentum=0.5, name="norm"),
        ]
    )
    end = snapshot_of_random(model, 1)
    seen = []

    def evaluate(model):
        seen.append(values_of(model))
        return 0

    data = batches((6, 6, 2), (8, 8, 4))
    tf_rigl.error_barrier(model, end, end, evaluate, 3, data)

    conv = keras.Sequential([keras.Input((6, 6, 2)), layers.Conv2D(3, 3)])
    conv.set_weights(list(end.weights.values())[:2])
    outputs = [
        conv(images).numpy().astype("float64").reshape(-1, 3)
        for images, _ in data
    ]
    less = int(keras.__name__ == "tf_keras")
    for found in seen:
        mean, variance = found[4:]
        means = [one.mean(axis=0) for one in outputs]
        np.testing.assert_allclose(mean, np.mean(means, axis=0), 1e-5)
        variances = [one.var(axis=0, ddof=less) for one in outputs]
        np.testing.assert_allclose(variance, np.mean(variances, axis=0), 1e-5)
