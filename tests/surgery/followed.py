"""Models of what channels are followed through, with dead units in them."""

import types

import keras as keras3
import numpy as np
import tensorflow as tf

from tests.surgery.support import Case

CASES = {}

KERAS3 = types.SimpleNamespace(
    relu6=keras3.ops.relu6,
    sigmoid=keras3.ops.sigmoid,
    square=keras3.ops.square,
    mean=keras3.ops.mean,
    total=keras3.ops.sum,
    concat=keras3.ops.concatenate,
    parts=lambda x, sizes: keras3.ops.split(
        x, [int(end) for end in np.cumsum(sizes)[:-1]], axis=-1
    ),
    halves=lambda x, axis: keras3.ops.split(x, 2, axis=axis),
    pad=keras3.ops.pad,
    softmax=keras3.ops.softmax,
    expand=keras3.ops.expand_dims,
    squeeze=keras3.ops.squeeze,
    transpose=keras3.ops.transpose,
    reshape=keras3.ops.reshape,
    clip=keras3.ops.clip,
    cumsum=keras3.ops.cumsum,
)
KERAS2 = types.SimpleNamespace(
    relu6=tf.nn.relu6,
    sigmoid=tf.nn.sigmoid,
    square=tf.square,
    mean=tf.reduce_mean,
    total=tf.reduce_sum,
    concat=tf.concat,
    parts=lambda x, sizes: tf.split(x, sizes, axis=-1),
    halves=lambda x, axis: tf.split(x, 2, axis=axis),
    pad=tf.pad,
    softmax=tf.nn.softmax,
    expand=tf.expand_dims,
    squeeze=tf.squeeze,
    transpose=tf.transpose,
    reshape=tf.reshape,
    clip=tf.clip_by_value,
    cumsum=tf.cumsum,
)


def functions(keras):
    return KERAS2 if keras.__name__ == "tf_keras" else KERAS3


def case(left, shape=None, **dead):
    """Notes a model as `dead_units.case` does.

    With the shape of its input, the function is called on `keras` and the
    input and returns the output; without, it makes the model of `keras`.
    """

    def decorate(function):
        def build(keras):
            if shape is None:
                return function(keras)
            inputs = keras.Input(shape)
            return keras.Model(inputs, function(keras, inputs))

        CASES[function.__name__] = Case(build, left, **dead)
        return function

    return decorate


# Units 0 and 1 are constants; the last convolution pads, so that only zeros
# can go: that of `a`, unit 1, is one behind the first operations.
@case(
    {"a": 4, "b": 4, "c": 6, "out": 3},
    (6, 6, 2),
    silent={"a": [0, 1], "b": [0, 1], "c": [0]},
)
def numbers(keras, inputs):
    """Constants through arithmetic with numbers."""
    layers, do = keras.layers, functions(keras)
    hidden = layers.Conv2D(6, 1, name="a")(inputs)
    hidden = 1 - do.relu6(hidden * 2.0 + 3) / 6
    hidden = layers.Conv2D(6, 3, name="b")(hidden)
    hidden = hidden * do.relu6(hidden + 3) * (1 / 6)
    hidden = layers.Rescaling(0.5, offset=-1)(hidden)
    hidden = layers.Conv2D(6, 1, name="c")(-hidden)
    hidden = layers.Conv2D(3, 3, padding="same", name="out")(hidden)
    return do.clip(hidden, -9, 9) ** 2


# Unit 0 is zero, whatever the gate, and so is its gate.
@case(
    {"a": 4, "squeeze": 3, "excite": 4, "map": 1, "out": 3},
    (6, 6, 2),
    zero={"a": [0, 1]},
    unread={"excite": [2]},
)
def gates(keras, inputs):
    """Zero times a gate, by a layer and by an operation."""
    layers, do = keras.layers, functions(keras)
    hidden = layers.Conv2D(6, 1, name="a")(inputs)
    gate = do.mean(hidden, (1, 2), keepdims=True)
    gate = layers.Conv2D(4, 1, activation="relu", name="squeeze")(gate)
    gate = do.sigmoid(layers.Conv2D(6, 1, name="excite")(gate))
    hidden = layers.Multiply()([hidden, gate]) * gate
    positions = layers.Conv2D(1, 1, activation="sigmoid", name="map")(inputs)
    hidden = hidden * positions
    return layers.Conv2D(3, 3, padding="same", name="out")(hidden)


# Nothing takes channels 5 and 8 of `a`; 0 is constant, and `c` does not read 4.
# Only one copy of channels 0 and 2 of `c` is not read.
@case(
    {"a": 5, "b": 2, "c": 4, "d": 8, "out": 2},
    (6, 6, 2),
    silent={"a": [0, 5]},
    zero={"b": [1]},
    unread={"c": [1], "d": [0, 4, 6]},
)
def parts(keras, inputs):
    """Split, slices and concatenations of features and of positions."""
    layers, do = keras.layers, functions(keras)
    hidden = layers.Conv2D(9, 1, activation="relu", name="a")(inputs)
    first, second, third = do.parts(hidden, [3, 2, 4])
    first = layers.Conv2D(4, 1, name="b")(do.square(first))
    second = do.concat([second, third[:, :, :, 1:3]], axis=-1)
    second = layers.Conv2D(4, 1, name="c")(second)
    upper, lower = do.halves(second, 1)
    second = do.concat([lower, upper], axis=1)
    hidden = do.concat([first, second[:, :, :], second], axis=-1)
    hidden = layers.Conv2D(8, 1, name="d")(hidden[:, 1:-1])
    return layers.Conv2D(2, 3, name="out")(hidden)


# Units 0 and 3 of `a` meet 2 and 5 of `b`. Of a softmax, 1 of `c` varies.
@case(
    {"a": 3, "b": 4, "c": 4, "d": 3, "out": 2},
    (6, 6, 2),
    zero={"a": [0, 3], "b": [0, 1, 2, 7], "d": [3]},
    silent={"c": [1]},
)
def positions(keras, inputs):
    """Axes made, dropped, swapped, padded and reduced."""
    layers, do = keras.layers, functions(keras)
    hidden = layers.Conv2D(4, 1, name="a")(inputs)
    wide = layers.Conv2D(8, 1, name="b")(inputs)
    hidden = do.pad(hidden, [[0, 0], [0, 0], [0, 0], [2, 2]]) + wide
    hidden = do.pad(hidden, [[0, 0], [1, 1], [0, 0], [0, 0]])
    hidden = do.transpose(hidden, (0, 2, 1, 3))
    hidden = do.squeeze(do.expand(hidden, 1), 1)
    hidden = layers.Conv2D(4, 3, padding="same", name="c")(hidden)
    hidden = do.softmax(hidden[:, :, 1], axis=1)
    hidden = do.reshape(hidden, (-1, 2, 3, 4))
    hidden = layers.Conv2D(4, 1, name="d")(hidden)
    hidden = do.total(hidden, axis=2) + do.mean(hidden, axis=2)
    return layers.Dense(2, name="out")(do.reshape(hidden, (-1, 8)))
