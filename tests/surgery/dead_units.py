"""Small models with dead units, and what should be left of them.

All layers that matter have names.
"""

from tests.surgery.support import Case
from tests.surgery.support import chain

CASES = {}


def case(left, shape=None, dtype=None, **dead):
    """Notes a model with its dead units and the number of those left.

    With the shape of its input, the function lists the layers of a sequential
    model, made by `keras.layers`; without, it makes the model.
    """

    def decorate(function):
        def build(keras):
            if shape is None:
                return function(keras)
            return chain(keras, shape, *function(keras.layers), dtype=dtype)

        CASES[function.__name__] = Case(build, left, **dead)
        return function

    return decorate


# Unit 4 of `b` is not read, nor then 5 of `a`, which only it reads. Silent ones
# are the sigmoid of their bias.
@case(
    {"a": 5, "b": 6, "out": 3},
    (6,),
    silent={"a": [0, 1]},
    unread={"b": [2], "out": [4]},
)
def mlp(layers):
    return [
        layers.Dense(8, "sigmoid", name="a"),
        layers.Dropout(0.5),
        layers.Dense(7, "tanh", name="b"),
        layers.Dense(3, name="out"),
    ]


# Slopes differ from position to position, so that unit 3 of `b` varies.
@case(
    {"a": 4, "b": 4, "out": 3},
    (5, 4, 2),
    zero={"a": [0, 1], "b": [2]},
    silent={"b": [3]},
)
def slopes(layers):
    """PReLU with slopes for each position, and for each column."""
    return [
        layers.Conv2D(6, 1, name="a"),
        layers.PReLU(),
        layers.Conv2D(5, 2, name="b"),
        layers.PReLU(shared_axes=[1]),
        layers.Conv2D(3, 1, name="out"),
    ]


@case({"a": 4, "b": 4, "out": 3}, (5, 5, 2), silent={"a": [0, 1], "b": [3]})
def without_bias(layers):
    """A constant of batch normalization before a 1×1 convolution."""
    return [
        layers.Conv2D(6, 3, padding="same", use_bias=False, name="a"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(2, 1, padding="same"),
        layers.Conv2D(5, 1, use_bias=False, padding="same", name="b"),
        layers.BatchNormalization(),
        layers.LeakyReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, name="out"),
    ]


def pad(layers, padding):
    return [
        layers.Conv2D(6, 3, activation="relu", name="a"),
        layers.Conv2D(4, 2, padding=padding, name="b"),
        layers.Activation("sigmoid"),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        layers.Dense(3, name="out"),
    ]


# A constant at the border of "same" is none.
@case(
    {"a": 4, "b": 3, "out": 3},
    (6, 6, 2),
    silent={"a": [0], "b": [1]},
    zero={"a": [1]},
    unread={"b": [5]},
)
def padded(layers):
    return pad(layers, "same")


@case(
    {"a": 3, "b": 3, "out": 3},
    (6, 6, 2),
    silent={"a": [0], "b": [1]},
    zero={"a": [1]},
    unread={"b": [5]},
)
def valid(layers):
    return pad(layers, "valid")


@case(
    {"a": 3, "b": 3, "c": 3, "out": 3},
    (6, 2),
    silent={"a": [0], "c": [2], "b": [3]},
    zero={"a": [1], "b": [0]},
    unread={"b": [2]},
)
def padding_layer(layers):
    return [
        layers.Conv1D(5, 3, padding="causal", name="a"),
        layers.ZeroPadding1D(1),
        layers.Conv1D(4, 2, dilation_rate=2, name="b"),
        layers.Cropping1D(1),
        layers.UpSampling1D(2),
        layers.Conv1D(4, 3, padding="same", strides=2, name="c"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(3, name="out"),
    ]


# Channel 0 is silent in all three, 1 in two of them; 2 is not read.
@case(
    {"a": 5, "b": 3, "c": 5, "d": 5, "out": 3},
    silent={"a": [0, 1], "c": [0, 1], "d": [0], "b": [3]},
    unread={"b": [0]},
)
def residual(keras):
    """Channels of `a` and `c` are tied, by a layer and by `+`."""
    layers = keras.layers
    inputs = keras.Input((5, 5, 2))
    first = layers.Conv2D(6, 3, padding="same", name="a")(inputs)
    hidden = layers.BatchNormalization()(first)
    hidden = layers.Conv2D(4, 3, padding="same", name="b")(hidden)
    hidden = layers.Conv2D(6, 1, name="c")(hidden)
    summed = layers.Add()([first, hidden])
    hidden = layers.Conv2D(6, 1, name="d")(layers.ReLU()(summed))
    hidden = layers.GlobalAveragePooling2D()(summed + hidden)
    return keras.Model(inputs, layers.Dense(3, name="out")(hidden))


# Channel 1 of `a` is channels 2 and 3 from there on.
@case(
    {"a": 4, "squeeze": 3, "excite": 8, "b": 3, "out": 3},
    unread={
        "squeeze": [2, 3],
        "b": [4, 5, 6, 7],
        "excite": [0],
        "out": range(1, 16, 4),
    },
)
def gated(keras):
    """Depthwise, then squeeze and excite: one channel from end to end."""
    layers = keras.layers
    inputs = keras.Input((6, 6, 2))
    hidden = layers.Conv2D(5, 1, name="a")(inputs)
    hidden = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depth")(hidden)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(hidden)
    gate = layers.Conv2D(4, 1, activation="relu", name="squeeze")(gate)
    gate = layers.Conv2D(10, 1, activation="sigmoid", name="excite")(gate)
    hidden = layers.Multiply()([hidden, gate])
    hidden = layers.SeparableConv2D(4, 3, depth_multiplier=2, name="b")(hidden)
    hidden = layers.Flatten()(hidden)
    return keras.Model(inputs, layers.Dense(3, name="out")(hidden))


# Channel 0 is constant from `depth` on, but not behind `even`; `even`
# does not read 1 and 2, of which 2 is constant before, too.
@case(
    {"a": 4, "b": 3, "out": 3},
    (6, 6, 2),
    silent={"a": [0, 2]},
    unread={"depth": [3], "even": [1, 2]},
)
def depthwise(layers):
    return [
        layers.Conv2D(6, 1, name="a"),
        layers.DepthwiseConv2D(2, activation="relu", name="depth"),
        layers.DepthwiseConv2D(2, padding="same", name="even"),
        layers.Conv2D(3, 1, name="b"),
        layers.Flatten(),
        layers.Dense(3, name="out"),
    ]


# `b` is an output, too.
@case(
    {"a": 2, "b": 3, "c": 3, "out": 3},
    silent={"a": [1], "b": [0], "c": [3]},
    unread={"c": [0, 5]},
)
def branches(keras):
    layers = keras.layers
    inputs = [keras.Input((5, 2)), keras.Input((5, 3))]
    first = layers.Conv1D(4, 1, name="a")(inputs[0])
    second = layers.Conv1D(3, 1, name="b")(inputs[1])
    hidden = layers.Concatenate()([first, second])
    hidden = layers.Permute((1, 2))(layers.PReLU(shared_axes=[1])(hidden))
    hidden = layers.SeparableConv1D(4, 2, name="c")(hidden)
    pooled = layers.GlobalAveragePooling1D()(hidden)
    return keras.Model(
        inputs, [layers.Dense(3, name="out")(pooled), layers.ReLU()(second)]
    )


@case(
    {"a": 3, "b": 2, "out": 3},
    (4, 4, 2),
    silent={"a": [0], "b": [0]},
    zero={"a": [1]},
    unread={"b": [2], "out": [1]},
)
def transposed(layers):
    return [
        layers.Conv2DTranspose(5, 3, name="a"),
        layers.Conv2DTranspose(4, 2, strides=2, name="b"),
        layers.Conv2D(3, 3, name="out"),
    ]


@case(
    {"a": 2, "b": 2, "out": 2},
    (4, 4, 4, 2),
    zero={"a": [0]},
    unread={"b": [2], "out": range(1, 24, 3)},
)
def volumes(layers):
    return [
        layers.Conv3D(4, 2, name="a"),
        layers.AveragePooling3D(2),
        layers.Conv3DTranspose(3, 2, name="b"),
        layers.Flatten(),
        layers.Dense(2, name="out"),
    ]


# Unit 2 of `lstm` is not read by `gru`, but by other units.
@case(
    {"a": 3, "lstm": 5, "gru": 4, "rnn": 3, "out": 3},
    (5, 4),
    silent={"lstm": [2]},
    zero={"a": [0]},
    unread={"lstm": [1], "gru": [1, 2], "rnn": [0], "out": [3]},
    unheard={"lstm": [1], "gru": [0], "rnn": [3]},
)
def recurrent(layers):
    return [
        layers.Dense(5, name="a"),
        layers.LSTM(6, return_sequences=True, name="lstm"),
        layers.GRU(5, return_sequences=True, name="gru"),
        layers.SimpleRNN(4, name="rnn"),
        layers.Dense(3, name="out"),
    ]


@case(
    {"a": 4, "b": 4, "gru": 3, "out": 3},
    (5,),
    dtype="int32",
    zero={"a": [0], "b": [3]},
    unread={"b": [1], "out": [2]},
    unheard={"gru": [2]},
)
def tokens(layers):
    return [
        layers.Embedding(9, 6, name="a"),
        layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d", name="b"),
        layers.GRU(4, reset_after=False, use_bias=False, name="gru"),
        layers.RepeatVector(2),
        layers.Conv1D(3, 1, name="out"),
    ]


@case(
    {"a": 8, "b": 3, "c": 4, "out": 3},
    (5,),
    silent={"c": [2]},
    unread={"b": [1], "c": [0]},
)
def reshaped(layers):
    """`a` is divided into positions: its units fall in columns of 3."""
    return [
        layers.Dense(12, name="a"),
        layers.Reshape((2, 2, 3)),
        layers.Conv2D(4, 1, name="b"),
        layers.Reshape((4, 4)),
        layers.Conv1D(5, 1, name="c"),
        layers.Reshape((20,)),
        layers.Dense(3, name="out"),
    ]


# `b` is a difference of the same constant: cut though not read alike.
@case(
    {"first/a": 4, "first/b": 3, "second/c": 4, "out": 3},
    silent={"first/a": [0], "first/b": [2]},
    unread={"first/b": [1], "second/c": [0], "out": [1, 4]},
)
def nested(keras):
    """The first model is called twice."""
    layers = keras.layers
    first = chain(
        keras,
        (4,),
        layers.Dense(6, "relu", name="a"),
        layers.Dense(5, name="b"),
    )
    first = keras.Sequential(first.layers, name="first")

    middle = keras.Input((5,))
    hidden = layers.Dense(6, name="c")(middle)
    second = keras.Model(middle, layers.Reshape((2, 3))(hidden), name="second")

    inputs = [keras.Input((4,)), keras.Input((4,))]
    hidden = layers.Subtract()([first(inputs[0]), first(inputs[1])])
    hidden = layers.Flatten()(second(hidden))
    return keras.Model(inputs, layers.Dense(3, name="out")(hidden))


# Constants differ for 0; for 1 both are 0.
@case(
    {"a": 5, "b": 5, "shared": 4, "out": 3},
    silent={"a": [0], "b": [0]},
    zero={"a": [1], "b": [1]},
    unread={"out": [3, 8, 4]},
)
def shared(keras):
    """A layer on two inputs: constants of one alone are not its own."""
    layers = keras.layers
    inputs = keras.Input((4,))
    first = layers.Dense(6, "relu", name="a")(inputs)
    second = layers.Dense(6, "relu", name="b")(inputs)
    both = layers.Dense(5, name="shared")
    hidden = layers.Concatenate()([both(first), both(second)])
    return keras.Model(inputs, layers.Dense(3, name="out")(hidden))


@case(
    {"a": 4, "b": 5, "c": 6, "d": 7, "e": 8, "f": 9, "g": 5, "out": 3},
    silent={name: [0, 1] for name in "abcdefg"},
    unread={"e": [3]},
)
def unknown(keras):
    layers = keras.layers
    inputs = keras.Input((4, 3))
    hidden = layers.Dense(4, name="a")(inputs)
    hidden = layers.LayerNormalization()(hidden)
    hidden = layers.Dense(5, name="b")(hidden)
    hidden = layers.MultiHeadAttention(2, 3, name="attention")(hidden, hidden)
    hidden = layers.Dense(6, name="c")(hidden)
    hidden = layers.Bidirectional(layers.SimpleRNN(3))(hidden)

    hidden = layers.Dense(7, "softmax", name="d")(hidden)
    hidden = layers.Dense(8, name="e")(hidden)
    # Its statistics stay, also where calls in training move them.
    norm = layers.BatchNormalization(momentum=1.0)
    hidden = norm(hidden, training=True)
    hidden = layers.Dense(9, name="f")(hidden)
    hidden = _doubled(keras)(hidden)
    hidden = layers.Dense(5, _twice, name="g")(hidden)
    return keras.Model(inputs, layers.Dense(3, name="out")(hidden))


def _doubled(keras):
    """A layer of a class that is not registered and has no configuration."""

    class Doubled(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = keras.layers.Activation(_twice)

        def call(self, inputs):
            return self.inner(inputs)

    return Doubled(name="doubled")


def _twice(values):
    return 2 * values


@case({"a": 1, "b": 1, "out": 3}, (4,), silent={"b": range(5)})
def nothing(layers):
    """Nothing comes through, and no layer can be without units."""
    return [
        layers.Dense(5, "relu", name="a"),
        layers.Dense(5, "relu", name="b"),
        layers.Dense(3, name="out"),
    ]
