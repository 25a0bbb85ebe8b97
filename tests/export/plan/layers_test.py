"""Each layer computes in a plan what it computes in Keras."""

import keras as keras3
import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tests.export.plan import support
from tests.support import keras_in_turn
from tf_rigl.export.plan import read
from tf_rigl.native.plan_graph import ACTIVATIONS

SIZES = st.integers(1, 4)


@st.composite
def convolutions(draw, rank):
    """Arguments of a convolution layer, and the shape of an image for it."""
    sizes = st.tuples(*[SIZES] * rank)
    strides = draw(st.sampled_from([1, 2, 3]))
    dilation = 1 if strides > 1 else draw(st.sampled_from([1, 2]))
    kernel = draw(sizes)
    padding = draw(st.sampled_from(["valid", "same"]))
    smallest = [(size - 1) * dilation + 1 for size in kernel]
    space = [size + draw(st.integers(0, 5)) for size in smallest]
    arguments = {
        "kernel_size": kernel,
        "strides": strides,
        "dilation_rate": dilation,
        "padding": padding,
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from([None, "relu"])),
    }
    return arguments, (*space, draw(st.integers(1, 4)))


def check(keras, layer, *shape, examples=2):
    model = keras.Sequential([keras.Input(shape), layer])
    support.randomize(model)
    return support.assert_alike(model, support.batch(*shape, examples=examples))


@keras_in_turn("rank", [1, 2], lambda rank: rank == 1)
def test_convolution(keras, rank):
    layer = getattr(keras.layers, f"Conv{rank}D")

    @support.few(6)
    @given(convolutions(rank), SIZES)
    def check_one(arguments, filters):
        options, shape = arguments
        graph = check(keras, layer(filters, **options), *shape)
        assert support.kinds(graph)[0] in ("convolution", "dense")

    check_one()


@keras_in_turn("rank", [1, 2], lambda rank: rank == 1)
def test_depthwise_convolution(keras, rank):
    layer = getattr(keras.layers, f"DepthwiseConv{rank}D")

    @support.few(4)
    @given(convolutions(rank), st.integers(1, 3))
    def check_one(arguments, multiplier):
        options, shape = arguments
        layer_of = layer(depth_multiplier=multiplier, **options)
        graph = check(keras, layer_of, *shape)
        assert support.kinds(graph) == ["depthwise"]

    check_one()


@keras_in_turn("rank", [1, 2], lambda rank: True)
def test_separable_convolution(keras, rank):
    layer = getattr(keras.layers, f"SeparableConv{rank}D")

    @support.few(6)
    @given(convolutions(rank), SIZES, st.integers(1, 2))
    def check_one(arguments, filters, multiplier):
        options, shape = arguments
        check(
            keras,
            layer(filters, depth_multiplier=multiplier, **options),
            *shape,
        )

    check_one()


@keras_in_turn("dilation", [1, 2], lambda dilation: dilation == 1)
def test_causal_convolution(keras, dilation):
    layer = keras.layers.Conv1D(4, 3, padding="causal", dilation_rate=dilation)
    check(keras, layer, 9, 2)


@keras_in_turn("groups", [2, 6], lambda groups: groups == 6)
def test_groups(keras, groups):
    """TensorFlow has no grouped convolutions on CPUs but by XLA."""
    layer = keras.layers.Conv2D(12, 3, groups=groups, activation="relu")
    model = keras.Sequential([keras.Input((7, 6, 6)), layer])
    support.randomize(model)
    compiled = tf.function(model, jit_compile=True)
    images = support.batch(7, 6, 6)

    support.assert_computes(
        read.graph_of(model), [images], [compiled(images).numpy()]
    )


@keras_in_turn("kind", ["Max", "Average"], lambda kind: kind == "Max")
def test_pooling(keras, kind):
    @support.few(6)
    @given(st.integers(1, 2), SIZES, st.integers(1, 3), st.data())
    def check_one(rank, size, strides, data):
        padding = data.draw(st.sampled_from(["valid", "same"]))
        shape = [size + data.draw(st.integers(0, 5)) for _ in range(rank)]
        layer = getattr(keras.layers, f"{kind}Pooling{rank}D")
        graph = check(keras, layer(size, strides, padding), *shape, 3)
        assert support.kinds(graph) == ["pool"]

    check_one()


@keras_in_turn("kind", ["Max2D", "Average2D", "Max1D", "Average1D"])
def test_global_pooling(keras, kind):
    name = f"Global{kind[:-2]}Pooling{kind[-2:]}"
    shape = (5, 3) if kind.endswith("1D") else (4, 5, 3)
    for kept in (False, True):
        layer = getattr(keras.layers, name)(keepdims=kept)
        check(keras, layer, *shape)


@keras_in_turn(
    "activation",
    ACTIVATIONS,
    lambda name: name not in ("leaky_relu", "hard_swish", "gelu_tanh"),
)
def test_activation(keras, activation):
    """As an argument and as a layer; Keras calls some of them differently."""
    layers = keras.layers
    if activation == "leaky_relu":
        function = keras.layers.LeakyReLU(0.3)
    elif activation == "relu6":
        function = tf.nn.relu6
    elif activation == "gelu_tanh":

        def function(x):
            return tf.nn.gelu(x, approximate=True)

    elif activation.startswith("hard"):

        def function(x):
            gate = tf.nn.relu6(x + 3) / 6
            return gate if activation == "hard_sigmoid" else x * gate

    else:
        function = getattr(tf.nn, activation, activation)
    if activation == "linear":
        function = "linear"

    graph = check(keras, layers.Dense(5, activation=function), 3)
    (dense,) = graph.operations
    assert dense.attributes["activation"] == activation
    graph = check(keras, layers.Activation(function), 2, 3, 4)
    expected = "affine" if activation == "linear" else "activation"
    assert support.kinds(graph) == [expected]


@keras_in_turn(
    "layer",
    [
        ("ReLU", {"max_value": 6}),
        ("ReLU", {"max_value": 2.5}),
        ("ReLU", {"negative_slope": 0.2}),
        ("ELU", {}),
        ("LeakyReLU", {}),
        ("Softmax", {}),
        ("Activation", {"activation": "hard_sigmoid"}),
    ],
)
def test_activation_layer(keras, layer):
    name, options = layer
    check(keras, getattr(keras.layers, name)(**options), 4, 6)


@keras_in_turn("shape", [(6,), (4, 6), (3, 4, 6)], lambda shape: len(shape) < 3)
def test_channelwise_layers(keras, shape):
    layers = keras.layers
    check(keras, layers.BatchNormalization(), *shape)
    check(keras, layers.BatchNormalization(scale=False, center=False), *shape)
    check(keras, layers.Rescaling(1 / 3, -0.5), *shape)
    check(keras, layers.Rescaling(list(range(1, 7))), *shape)
    check(keras, layers.Dense(5), *shape)

    adapted = layers.Normalization()
    adapted.adapt(3 + support.batch(*shape, examples=20))
    model = keras.Sequential([keras.Input(shape), adapted])
    support.assert_alike(model, support.batch(*shape))


@keras_in_turn("padding", [1, ((0, 1), (2, 0)), (2, 1)])
def test_padding_and_cropping(keras, padding):
    layers = keras.layers
    check(keras, layers.ZeroPadding2D(padding), 4, 5, 3)
    check(keras, layers.Cropping2D(padding), 6, 5, 3)
    check(keras, layers.ZeroPadding1D(2), 4, 3)
    check(keras, layers.Cropping1D((0, 2)), 4, 3)


@keras_in_turn("merge", "Add Multiply Subtract Average Concatenate".split())
def test_merge(keras, merge):
    inputs = [keras.Input((3, 4, 6)), keras.Input((3, 4, 6))]
    outputs = getattr(keras.layers, merge)()(inputs)
    images = [support.batch(3, 4, 6, seed=seed) for seed in (1, 2)]
    support.assert_alike(keras.Model(inputs, outputs), *images)


@keras_in_turn("shapes", [((1, 1, 6), (3, 4, 6)), ((3, 4, 1), (1, 4, 6))])
def test_merge_broadcasts(keras, shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    images = [support.batch(*shape) for shape in shapes]
    for merge in (keras.layers.Add(), keras.layers.Multiply()):
        model = keras.Model(inputs, merge(inputs))
        support.assert_alike(model, *images)


@keras_in_turn("target", [(24,), (-1,), (4, 6), (2, 3, 4)])
def test_reshape(keras, target):
    check(keras, keras.layers.Reshape(target), 4, 3, 2)
    check(keras, keras.layers.Flatten(), *np.zeros(24).reshape(target).shape)


@keras_in_turn(
    "layer",
    [
        ("Dropout", (0.5,)),
        ("SpatialDropout2D", (0.5,)),
        ("GaussianNoise", (0.5,)),
        ("RandomFlip", ()),
        ("RandomRotation", (0.1,)),
    ],
)
def test_does_nothing_at_inference(keras, layer):
    name, arguments = layer
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            getattr(keras.layers, name)(*arguments),
            keras.layers.Conv2D(2, 1),
        ]
    )
    graph = support.assert_alike(model, support.batch(4, 4, 3))
    assert support.kinds(graph) == ["convolution"]


@keras_in_turn(
    "function",
    {
        "sum": lambda x, y: x + y,
        "difference": lambda x, y: x - y,
        "product": lambda x, y: x * y,
        "constants": lambda x, y: (2 - x * 3.0) / 4 + 1 - (-y),
        "channels": lambda x, y: x * np.arange(1, 5, dtype="float32") + y,
    }.items(),
)
def test_operators(keras, function):
    inputs = [keras.Input((3, 3, 4)), keras.Input((3, 3, 4))]
    outputs = function[1](*inputs)
    images = [support.batch(3, 3, 4, seed=seed) for seed in (1, 2)]
    support.assert_alike(keras.Model(inputs, outputs), *images)


FUNCTIONS = {
    "relu": lambda ops, x: ops.relu(x),
    "relu6": lambda ops, x: ops.relu6(x),
    "sigmoid": lambda ops, x: ops.sigmoid(x),
    "silu": lambda ops, x: ops.silu(x),
    "gelu": lambda ops, x: ops.gelu(x),
    "softmax": lambda ops, x: ops.softmax(x),
    "leaky_relu": lambda ops, x: ops.leaky_relu(x),
    "elu": lambda ops, x: ops.elu(x),
    "tanh": lambda ops, x: ops.tanh(x),
}


@keras_in_turn("name", FUNCTIONS)
def test_activation_function(keras, name):
    ops = keras3.ops if keras is keras3 else tf.nn
    inputs = keras.Input((3, 3, 4))
    outputs = FUNCTIONS[name](ops, inputs)
    graph = support.assert_alike(
        keras.Model(inputs, outputs), support.batch(3, 3, 4)
    )
    assert support.kinds(graph) == ["activation"]


KERAS3 = {
    "mean": lambda ops, x: ops.mean(x, (1, 2)),
    "max": lambda ops, x: ops.max(x, (1, 2), keepdims=True),
    "concatenate": lambda ops, x: ops.concatenate([x, ops.relu(x)], -1),
    "reshape": lambda ops, x: ops.reshape(x, (-1, 9, 4)),
    "expand_dims": lambda ops, x: ops.expand_dims(ops.mean(x, (1, 2)), 1),
    "squeeze": lambda ops, x: ops.squeeze(ops.mean(x, (1, 2), True), 1),
    "pad": lambda ops, x: ops.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]]),
    "take": lambda ops, x: ops.take(x, [3, 0, 0], axis=-1),
    "slice": lambda ops, x: x[..., 1:3],
    "matmul": lambda ops, x: ops.matmul(x, np.eye(4, 3, 1, "float32")),
    "at": lambda ops, x: x @ np.eye(4, 3, 1, "float32"),
    "clip": lambda ops, x: ops.clip(x, 0, 1),
}
TENSORFLOW = {
    "mean": lambda x: tf.reduce_mean(x, (1, 2)),
    "max": lambda x: tf.reduce_max(x, (1, 2), keepdims=True),
    "concatenate": lambda x: tf.concat([x, tf.nn.relu(x)], -1),
    "reshape": lambda x: tf.reshape(x, (-1, 9, 4)),
    "expand_dims": lambda x: tf.expand_dims(tf.reduce_mean(x, (1, 2)), 1),
    "squeeze": lambda x: tf.squeeze(tf.reduce_mean(x, (1, 2), True), 1),
    "pad": lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]]),
    "take": lambda x: tf.gather(x, [3, 0, 0], axis=-1),
    "slice": lambda x: x[..., 1:3],
    "matmul": lambda x: tf.nn.bias_add(
        tf.matmul(x, np.eye(4, 3, 1, "float32")), np.ones(3, "float32")
    ),
    "at": lambda x: x @ np.eye(4, 3, 1, "float32"),
    "clip": lambda x: tf.clip_by_value(x, 0, 1),
}


@keras_in_turn("name", KERAS3)
def test_function(keras, name):
    inputs = keras.Input((3, 3, 4))
    if keras is keras3:
        outputs = KERAS3[name](keras3.ops, inputs)
    else:
        outputs = TENSORFLOW[name](inputs)
    support.assert_alike(keras.Model(inputs, outputs), support.batch(3, 3, 4))
