"""Growth by gradient of compressed layers that a step calls several times.

Inputs, labels and initial values are small integers and rates are powers of
two, so that masks must equal those of masked storage, update by update.
"""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support
from tests.updating.compressed_test import data

METHOD = tf_rigl.RigL(stop_step=12, update_interval=3)


def twice_dense(keras):
    inputs = keras.Input((12,))
    layer = keras.layers.Dense(12, name="twice")
    return inputs, keras.layers.Dense(6, name="out")(layer(layer(inputs)))


def sizes_of_images(keras):
    inputs = keras.Input((6, 5, 2))
    layer = keras.layers.Conv2D(4, 3, 2, "same", name="twice")
    narrow = keras.layers.MaxPooling2D(2)(inputs)
    pool = keras.layers.GlobalMaxPooling2D()
    sums = keras.layers.Add()([pool(layer(inputs)), pool(layer(narrow))])
    return inputs, keras.layers.Dense(6, name="out")(sums)


def twins(keras):
    inputs = keras.Input((12,))
    tower = keras.Sequential([keras.layers.Dense(6, name="twice")])
    left, right = inputs[:, :6], inputs[:, 6:]
    return inputs, keras.layers.Subtract()([tower(left), tower(right)])


MODELS = {
    "dense": (twice_dense, (12,)),
    "sizes_of_images": (sizes_of_images, (6, 5, 2)),
    "twins": (twins, (12,)),
}


def build(keras, storage, network=twice_dense):
    model = keras.Model(*network(keras))
    rng = np.random.default_rng(1)
    model.set_weights(
        [
            rng.integers(-2, 3, weight.shape).astype("float32")
            for weight in model.get_weights()
        ]
    )
    return tf_rigl.sparsify(model, 0.6, "uniform", storage=storage)


@pytest.mark.parametrize("name", MODELS)
def test_calls_are_taken_together(keras, name):
    network, shape = MODELS[name]
    masks = []
    for storage in ("masked", "compressed"):
        model = build(keras, storage, network)
        model.compile(keras.optimizers.SGD(2**-12, momentum=0.5), "mse")
        support.fit(model, data(shape), METHOD, epochs=8, batch_size=32)
        masks.append(tf_rigl.masks(model))
        assert support.moved(model)
    support.assert_all_equal(*(one.values() for one in masks))


def two_passes(storage, keras, join):
    """Trains by what is made of the gradients of two backward passes."""
    model = build(keras, storage)
    optimizer = keras.optimizers.SGD(2**-12)
    tf_rigl.attach(optimizer, model, METHOD)
    variables = model.trainable_variables

    def gradients(inputs, labels):
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            loss = tf.reduce_mean((outputs - labels) ** 2)
        return tape.gradient(loss, variables)

    @tf.function(autograph=False)
    def step(inputs, labels):
        first = gradients(inputs[:16], labels[:16])
        second = gradients(inputs[16:], labels[16:])
        joined = map(join, first, second)
        optimizer.apply_gradients(zip(joined, variables, strict=True))

    for _ in range(7):
        step(*map(tf.constant, data()))
    assert support.moved(model)
    return tf_rigl.masks(model)


@support.one_keras("keras")
@pytest.mark.parametrize(
    "join", [lambda first, second: second, lambda first, second: first + second]
)
def test_passes_are_those_of_the_gradient(keras, join):
    masks = [
        two_passes(storage, keras, join) for storage in ("masked", "compressed")
    ]
    support.assert_all_equal(*(one.values() for one in masks))


MESSAGE = r"Received: 'twice/kernel', whose layer had one several times"


@support.one_keras("keras")
def test_parts_that_are_scaled(keras):
    with pytest.raises(ValueError, match=MESSAGE) as error:
        two_passes("compressed", keras, lambda one, two: 0.5 * one + two)
    assert "storage='masked'" in str(error.value)


@support.one_keras("keras")
def test_several_calls_in_eager_mode(keras):
    model = build(keras, "compressed")
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(ValueError, match=MESSAGE):
        support.fit(model, data(), METHOD)
    support.fit(model, data(), tf_rigl.SET(stop_step=12, update_interval=3))
