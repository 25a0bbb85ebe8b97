"""Layers and weights that do not train stay so in a smaller model."""

import pytest
import tensorflow as tf

import tf_rigl
from tests.surgery import pruning
from tests.surgery import support


def network(keras):
    """An inner model, a layer with a bias, and layers within a wrapper."""
    layers = keras.layers
    inner = support.chain(
        keras,
        (8,),
        layers.Dense(8, "relu", name="first"),
        layers.Dense(6, "relu", name="second"),
    )
    inputs = keras.Input((5,))
    hidden = layers.Dense(8, "relu", name="in")(inputs)
    hidden = layers.Reshape((2, 3))(inner(hidden))
    hidden = layers.Bidirectional(layers.LSTM(4), name="both")(hidden)
    model = keras.Model(inputs, layers.Dense(3, name="out")(hidden))
    return model, inner


def frozen_model(model, inner):
    inner.trainable = False


def thawed_within(model, inner):
    inner.trainable = False
    inner.get_layer("second").trainable = True


def frozen_within(model, inner):
    model.get_layer("both").forward_layer.trainable = False
    inner.get_layer("first").trainable = False


def frozen_weight(model, inner):
    bias = model.get_layer("in").bias
    if isinstance(bias, tf.Variable):
        pytest.skip("variables of TensorFlow train for good")
    bias.trainable = False


@pytest.mark.parametrize(
    "freeze", [frozen_model, thawed_within, frozen_within, frozen_weight]
)
def test_the_same_weights_train(keras, freeze):
    model, inner = network(keras)
    every = len(model.weights)
    freeze(model, inner)
    expected = [weight.name for weight in model.trainable_weights]
    assert len(expected) < every
    small, report = tf_rigl.prune_channels(model, 0.25)
    assert pruning.left(report)["in"] == 6
    left = [weight.name for weight in small.trainable_weights]
    assert left == expected
    small.compile("sgd", "mse")
    assert [weight.name for weight in small.trainable_weights] == expected
