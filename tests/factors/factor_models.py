"""Models with each kind of kernel, and their inputs."""

import numpy as np


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def sequential(keras, shape, *layers):
    return keras.Sequential([keras.Input(shape), *layers]), draw(3, *shape)


def dense(keras):
    layers = keras.layers
    return sequential(keras, (5, 12), layers.Dense(14, "relu"), layers.Dense(9))


def einsum(keras):
    layers = keras.layers
    return sequential(
        keras,
        (6, 12),
        layers.EinsumDense("abc,cde->abde", (None, 4, 5), bias_axes="de"),
        layers.EinsumDense("abde,def->abf", (None, 13), bias_axes="f"),
        layers.EinsumDense("...x,xy->...y", (6, 11), activation="tanh"),
    )


def convolutions(keras):
    layers = keras.layers
    return sequential(
        keras,
        (11, 10, 8),
        layers.Conv2D(9, (3, 5), padding="same", activation="relu"),
        layers.Conv2D(10, 3, strides=2, padding="same"),
        layers.Conv2D(8, 3, strides=2, use_bias=False),
        layers.Reshape((4, 8)),
        layers.Conv1D(12, 3, padding="causal", dilation_rate=2),
    )


def recurrent(keras):
    layers = keras.layers
    return sequential(
        keras,
        (4, 10),
        layers.SimpleRNN(12, return_sequences=True),
        layers.Bidirectional(layers.LSTM(8, return_sequences=True)),
        layers.GRU(9, reset_after=False, return_sequences=True),
        layers.RNN([layers.LSTMCell(8), layers.GRUCell(10)]),
    )


def attention(keras):
    inputs = keras.Input((5, 12))
    layer = keras.layers.MultiHeadAttention(3, 4, 6, name="attention")
    model = keras.Model(inputs, layer(inputs, inputs))
    for weight in model.weights:  # biases, too
        weight.assign(draw(*weight.shape, seed=2) / 3)
    return model, draw(3, 5, 12)


def subclassed(keras):
    class Subclassed(keras.Model):
        def __init__(self, **settings):
            super().__init__(**settings)
            self.first = keras.layers.Dense(14, "relu")
            self.others = [keras.layers.Dense(12), keras.layers.Dense(14)]

        def call(self, inputs):
            outputs = self.first(inputs)
            for layer in self.others:
                outputs = layer(outputs)
            return self.others[0](outputs)

        def get_config(self):
            return {}

    model, inputs = Subclassed(), draw(3, 14)
    model(inputs)
    return model, inputs


def nested(keras):
    layers = keras.layers
    inner = keras.Sequential([keras.Input((12,)), layers.Dense(12, "relu")])
    inputs = keras.Input((12,))
    shared = layers.Dense(12, name="shared")
    outputs = layers.Dense(9)(shared(inner(shared(inputs))))
    return keras.Model(inputs, outputs), draw(3, 12)


MODELS = {
    one.__name__: one
    for one in (
        dense,
        einsum,
        convolutions,
        recurrent,
        attention,
        subclassed,
        nested,
    )
}
