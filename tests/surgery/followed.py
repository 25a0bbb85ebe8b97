"""Models of what channels are followed through, with dead units in them."""

import importlib
import types

import keras as keras3
import numpy as np
import tensorflow as tf

from tests.surgery.support import Case

CASES = {}

KERAS3 = types.SimpleNamespace(
    relu=keras3.ops.relu,
    silu=keras3.ops.silu,
    gelu=keras3.ops.gelu,
    maximum=keras3.ops.maximum,
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
    take=keras3.ops.take,
    cumsum=keras3.ops.cumsum,
)
KERAS2 = types.SimpleNamespace(
    relu=tf.nn.relu,
    silu=tf.nn.silu,
    gelu=tf.nn.gelu,
    maximum=tf.maximum,
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
    take=tf.gather,
    cumsum=tf.cumsum,
)


def functions(keras):
    return KERAS2 if keras.__name__ == "tf_keras" else KERAS3


def spectral(keras):
    """SpectralNormalization; that of tf_keras mixes it with Keras 3."""
    if keras.__name__ == "tf_keras":
        return lambda layer, name=None: layer
    return keras.layers.SpectralNormalization


def adaptive(keras, size):
    """AdaptiveAveragePooling2D, which tf_keras does not have."""
    if keras.__name__ == "tf_keras":
        return keras.layers.Identity()
    return keras.layers.AdaptiveAveragePooling2D(size)


def of_applications(keras):
    """The layers of `keras.applications`, which are not exported, by name."""
    modules = (
        importlib.import_module(f"{keras.__name__}.src.applications.{name}")
        for name in ("convnext", "inception_resnet_v2")
    )
    return {
        name: getattr(module, name)
        for module in modules
        for name in ("LayerScale", "StochasticDepth", "CustomScaleLayer")
        if hasattr(module, name)
    }


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
    second = do.concat([second, third[..., 1:3]], axis=-1)
    second = layers.Conv2D(4, 1, name="c")(second)
    upper, lower = do.halves(second[:, :, :, :], 1)
    second = do.concat([lower, upper], axis=1)
    left, right = do.halves(second, -1)
    hidden = do.concat([first, second[..., :, :], left, right], axis=-1)
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


# The channels of one place in each group go, 1, 3, 5 and 7 of `a`, but not 0
# alone. So do 2, 5, 8 and 11 of `b`, of which `c` makes two each.
@case(
    {"a": 4, "b": 8, "d": 3, "out": 2},
    (6, 6, 2),
    silent={"a": [0, 1, 3, 5, 7], "c": [4, 5, 10, 11]},
    unread={"d": [16, 17, 22, 23], "out": [1]},
)
def groups(keras, inputs):
    """Convolutions with groups of several channels and with one each."""
    layers = keras.layers
    hidden = layers.Conv2D(8, 1, activation="relu", name="a")(inputs)
    hidden = layers.Conv2D(12, 2, groups=4, name="b")(hidden)
    hidden = layers.Conv2D(24, 2, groups=12, use_bias=False, name="c")(hidden)
    hidden = layers.Conv2D(4, 1, name="d")(hidden)
    return layers.Conv2D(2, 3, padding="same", name="out")(hidden)


# Of two groups of `a` one is constant, not so 5. Of three of `b`, one is not
# read, and one is constant behind `norm`.
@case(
    {"a": 4, "b": 3, "c": 5, "out": 2},
    (6, 6, 4),
    silent={"a": [0, 1, 2, 3, 5]},
    unread={"c": [0, 1, 2], "out": [0]},
    unscaled={"norm": [3, 4, 5, 7]},
)
def normalized(keras, inputs):
    """GroupNormalization, and LayerNormalization of positions."""
    layers = keras.layers
    hidden = layers.Conv2D(8, 1, name="a")(inputs)
    hidden = layers.GroupNormalization(2)(hidden)
    hidden = layers.Conv2D(9, 2, name="b")(layers.ReLU()(hidden))
    hidden = layers.GroupNormalization(3, name="norm")(hidden)
    hidden = layers.Conv2D(6, 1, name="c")(hidden)
    hidden = layers.LayerNormalization(axis=[1, 2])(hidden)
    hidden = layers.GroupNormalization(-1)(layers.Softmax(axis=1)(hidden))
    return layers.Conv2D(2, 3, padding="same", name="out")(hidden)


# Inputs stay. Zeros of `scale` are zeros behind it.
@case({"a": 4, "b": 3, "out": 2}, unread={"b": [2]}, unscaled={"scale": [0]})
def images(keras):
    """Preprocessing in a model and layers of `keras.applications`."""
    layers, own = keras.layers, of_applications(keras)
    inputs = keras.Input((8, 8, 3))
    hidden = layers.Resizing(6, 6)(inputs)
    hidden = layers.RandomFlip()(hidden, training=False)
    hidden = layers.Normalization(mean=[1, 2, 3], variance=[1, 2, 3])(hidden)
    hidden = layers.Conv2D(6, 1, name="a")(layers.Rescaling(1 / 9)(hidden))
    hidden = own["StochasticDepth"](0.1)(layers.CenterCrop(4, 4)(hidden))
    scaled = own["LayerScale"](0.1, 6, name="scale")(hidden)
    hidden = own["CustomScaleLayer"](0.3)([scaled, layers.ReLU()(scaled)])
    hidden = layers.Conv2D(3, 3, padding="same", name="b")(hidden)
    return keras.Model(inputs, layers.Conv2D(2, 1, name="out")(hidden))


# Nothing reads head 0 of `self`, and the values of 2 are zero. Channel 1 of
# `a` is zero. Heads of `cross` do not read 5 of `self`, and it takes up zeros
# of `b` only, as 4.
@case(
    {"a": 5, "b": 5, "self": 5, "cross": 4, "out": 2},
    silent={"b": [0]},
    zero={"a": [1], "b": [4]},
    zeros={
        "self:attention_output/kernel": (0, [0]),
        "self:value/kernel": (1, [2]),
        "self:value/bias": (0, [2]),
        "cross:query/kernel": (0, [5]),
    },
    unread={"out": [0]},
)
def heads(keras):
    """Attention to itself and to another stream."""
    layers = keras.layers
    inputs = keras.Input((5, 3)), keras.Input((4, 3))
    first = layers.Dense(6, name="a")(inputs[0])
    second = layers.Dense(6, name="b")(inputs[1])
    hidden = layers.MultiHeadAttention(4, 3, name="self")(
        first, first, use_causal_mask=True
    )
    hidden = layers.MultiHeadAttention(
        3, 2, value_dim=3, use_bias=False, output_shape=5, name="cross"
    )(hidden, second, key=second)
    return keras.Model(inputs, layers.Dense(2, name="out")(hidden))


# Units of the same place in both directions go together: 1 and 2 of `both`,
# and 0 of `sum`, but not 3 of `both` in one direction alone.
@case(
    {"a": 2, "b": 3, "both": 8, "sum": 3, "c": 3, "out": 2},
    (5, 6, 6, 2),
    zero={"c": [1]},
    zeros={
        "a:kernel": (3, [0, 3]),
        "sum:forward_gru/gru_cell/kernel": (0, [1, 2, 3, 7, 8]),
        "sum:backward_gru/gru_cell/kernel": (0, [1, 2, 7, 8]),
        "both:forward_lstm/lstm_cell/recurrent_kernel": (0, [1, 2, 3]),
        "both:backward_lstm/lstm_cell/recurrent_kernel": (0, [1, 2]),
        "sum:forward_gru/gru_cell/recurrent_kernel": (0, [0]),
        "sum:backward_gru/gru_cell/recurrent_kernel": (0, [0]),
        "c:kernel": (0, [0]),
    },
    unread={"b": [1]},
)
def wrapped(keras, inputs):
    """TimeDistributed, SpectralNormalization and Bidirectional."""
    layers = keras.layers
    each, normed = layers.TimeDistributed, spectral(keras)
    hidden = each(layers.Conv2D(5, 3, activation="relu"), name="a")(inputs)
    hidden = each(layers.BatchNormalization())(each(layers.ReLU())(hidden))
    hidden = each(normed(layers.Conv2D(3, 2, use_bias=False)), name="b")(hidden)
    hidden = each(layers.Flatten())(hidden)
    hidden = layers.Bidirectional(
        layers.LSTM(6, return_sequences=True, name="lstm"), name="both"
    )(hidden)
    hidden = layers.Bidirectional(layers.GRU(4, name="gru"), "sum", name="sum")(
        hidden
    )
    hidden = normed(layers.Dense(4, name="c"), name="c")(hidden)
    return layers.Dense(2, name="out")(hidden)


# Nothing takes 1 and 5 of `a`, `c` does not read 3, and 0 is constant.
@case(
    {"a": 3, "b": 3, "c": 2, "out": 2},
    (4, 3),
    silent={"a": [0]},
    unread={"c": [1, 3], "out": [3]},
)
def taken(keras, inputs):
    """Features that are taken by their numbers, in any order and twice."""
    layers, do = keras.layers, functions(keras)
    hidden = layers.Dense(7, name="a")(inputs)
    first = layers.Dense(3, name="b")(do.take(hidden, [4, 2, 0], axis=-1))
    second = layers.Dense(3, name="c")(do.take(hidden, [6, 3, 4, 3], axis=-1))
    hidden = do.concat([first, second], axis=-1)
    return layers.Dense(2, name="out")(
        do.take(hidden, [0, 1, 2, 3, 4, 5], axis=-1)
    )


# Constant where both of `maximum` are: units 1 and 2, but neither 0 nor 3.
@case(
    {"a": 4, "b": 4, "c": 3, "out": 2},
    (6, 6, 2),
    silent={"a": [0, 1, 2], "b": [1, 2, 3]},
    zero={"c": [1]},
)
def activations(keras, inputs):
    """Activations as functions, larger values and layers without effect."""
    layers, do = keras.layers, functions(keras)
    first = do.relu(layers.Conv2D(6, 1, name="a")(inputs))
    second = layers.Identity()(layers.Conv2D(6, 1, name="b")(inputs))
    hidden = do.maximum(do.silu(first), do.gelu(second))
    hidden = adaptive(keras, 4)(do.maximum(hidden, 0.5))
    hidden = layers.Conv2D(4, 1, name="c")(hidden)
    return layers.Conv2D(2, 3, padding="same", name="out")(hidden)
