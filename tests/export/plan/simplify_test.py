"""Fewer steps compute the same: what is folded and fused, and what is not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.export.plan import support
from tests.support import one_keras
from tf_rigl.export.plan import read


def check(inputs, outputs):
    model = support.randomize(keras.Model(inputs, outputs))
    batches = [
        support.batch(*one.shape[1:], seed=seed)
        for seed, one in enumerate(tf.nest.flatten(inputs))
    ]
    return support.assert_alike(model, *batches)


def described(graph):
    """Kinds of steps with their activations, those that have one."""
    return [
        one.kind
        if one.attributes.get("activation", "linear") == "linear"
        else f"{one.kind} {one.attributes['activation']}"
        for one in graph.operations
    ]


def test_residual_block_is_its_convolutions(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 4))
    hidden = layers.ZeroPadding2D(1)(inputs)
    hidden = layers.Conv2D(6, 3, use_bias=False)(hidden)
    hidden = layers.BatchNormalization()(hidden)
    hidden = layers.ReLU()(hidden)
    hidden = layers.Conv2D(4, 3, padding="same")(hidden)
    hidden = layers.BatchNormalization()(hidden)
    outputs = layers.ReLU()(layers.Add()([inputs, hidden]))

    graph = check(inputs, outputs)
    assert described(graph) == ["convolution relu", "convolution relu"]
    first, second = graph.operations
    assert first.attributes["padding"] == ((1, 1), (1, 1))
    assert second.inputs == (first.output, *graph.inputs)


def test_projected_shortcut_moves_behind_the_sum(keras3):
    """The convolution that adds is the later one, whichever comes first."""
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 4))
    left = layers.Conv2D(6, 3, padding="same", name="left")(inputs)
    right = layers.Conv2D(6, 1, name="right")(inputs)
    outputs = layers.Add()([right, left])

    graph = check(inputs, outputs)
    assert described(graph) == ["convolution", "convolution"]
    assert len(graph.operations[1].inputs) == 2


def test_sum_of_what_others_read_stays(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 4))
    hidden = layers.Conv2D(4, 1)(inputs)
    outputs = layers.Concatenate()([layers.Add()([hidden, inputs]), hidden])
    graph = check(inputs, outputs)
    assert described(graph) == ["convolution", "add", "concatenate"]

    twice = layers.Conv2D(4, 1)(inputs)
    graph = check(inputs, layers.Add()([twice, twice]))
    assert described(graph) == ["convolution", "add"]


def test_activation_of_what_others_read_stays(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 4))
    hidden = layers.Conv2D(4, 1)(inputs)
    outputs = [layers.ReLU()(hidden), hidden]
    graph = check(inputs, outputs)
    assert described(graph) == ["convolution", "activation relu"]


@pytest.mark.parametrize("groups", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_normalization_before_a_convolution(keras3, padding, groups):
    """An offset is no part of the zeros of the padding."""
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 4))
    hidden = layers.BatchNormalization()(inputs)
    outputs = layers.Conv2D(6, 3, padding=padding, groups=groups)(hidden)
    if groups == 1:
        graph = check(inputs, outputs)
    else:
        model = support.randomize(keras3.Model(inputs, outputs))
        compiled = tf.function(model, jit_compile=True)
        images = support.batch(8, 8, 4)
        graph = read.graph_of(model)
        support.assert_computes(graph, [images], [compiled(images).numpy()])

    folded = padding == "valid"
    assert described(graph) == ["affine"] * (not folded) + ["convolution"]


def test_scale_before_a_padded_convolution_is_folded(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 3))
    hidden = layers.Rescaling(1 / 255)(inputs)
    for layer in (
        layers.Conv2D(6, 3, padding="same"),
        layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
    ):
        assert len(check(inputs, layer(hidden)).operations) == 1


def test_normalization_before_several_layers(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 3))
    hidden = layers.BatchNormalization()(inputs)
    outputs = [
        layers.Conv2D(6, 3)(hidden),
        layers.DepthwiseConv2D(3)(hidden),
        layers.Dense(5)(hidden),
    ]
    graph = check(inputs, outputs)
    assert sorted(described(graph)) == ["convolution", "dense", "depthwise"]

    outputs.append(layers.ReLU()(hidden))
    assert described(check(inputs, outputs))[0] == "affine"


def test_normalization_behind_depthwise_and_dense(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 3))
    hidden = layers.DepthwiseConv2D(3, depth_multiplier=2)(inputs)
    hidden = layers.ReLU(6.0)(layers.BatchNormalization()(hidden))
    hidden = layers.BatchNormalization()(layers.Dense(4)(hidden))
    graph = check(inputs, layers.Activation("gelu")(hidden))
    assert described(graph) == ["depthwise relu6", "dense gelu"]


def test_normalization_behind_an_activation_stays(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 3))
    hidden = layers.Conv2D(4, 3, activation="relu")(inputs)
    outputs = layers.ReLU()(layers.BatchNormalization()(hidden))
    graph = check(inputs, outputs)
    assert described(graph) == ["convolution relu", "affine relu"]


def test_several_scales_are_one(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 3))
    hidden = layers.Rescaling(1 / 127.5, -1)(inputs)
    hidden = layers.BatchNormalization()(hidden)
    outputs = layers.Activation("tanh")(layers.Rescaling(2.0)(hidden))
    assert described(check(inputs, outputs)) == ["affine tanh"]


def test_padding_that_others_read_stays(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 3))
    hidden = layers.ZeroPadding2D(2)(inputs)
    outputs = [layers.Conv2D(4, 3)(hidden), layers.AveragePooling2D(2)(hidden)]
    graph = check(inputs, outputs)
    assert sorted(described(graph)) == ["convolution", "pad", "pool"]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_padding_before_a_maximum(keras3, activation):
    """Its zeros count, unless nothing is below 0."""
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 3))
    hidden = layers.Conv2D(4, 3, activation=activation)(inputs)
    hidden = layers.ZeroPadding2D(1)(hidden)
    graph = check(inputs, layers.MaxPooling2D(3, 2)(hidden))
    kinds = support.kinds(graph)
    expected = ["pad"] * (activation == "tanh")
    assert kinds == ["convolution", *expected, "pool"]


def test_gates_are_one_activation(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 3))
    hidden = layers.Conv2D(4, 3)(inputs)
    gate = layers.ReLU(6.0)(hidden + 3.0) * (1 / 6)
    graph = check(inputs, layers.Multiply()([gate, hidden]))
    assert described(graph) == ["convolution hard_swish"]

    gate = layers.Activation("sigmoid")(hidden)
    graph = check(inputs, layers.Multiply()([hidden, gate]))
    assert described(graph) == ["convolution swish"]


def test_what_is_like_a_gate_is_none(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 3))
    hidden = layers.Conv2D(4, 3)(inputs)
    gate = layers.ReLU(6.0)(hidden + 2.0) * (1 / 6)
    graph = check(inputs, layers.Multiply()([gate, hidden]))
    assert "hard" not in " ".join(described(graph))


def test_squeeze_and_excitation(keras3):
    layers = keras3.layers
    inputs = keras3.Input((8, 8, 6))
    hidden = layers.GlobalAveragePooling2D()(inputs)
    hidden = layers.Reshape((1, 1, 6))(hidden)
    hidden = layers.Conv2D(2, 1, activation="relu")(hidden)
    hidden = layers.Conv2D(6, 1, activation="sigmoid")(hidden)
    graph = check(inputs, layers.Multiply()([inputs, hidden]))
    assert described(graph) == [
        "global_pool",
        "dense relu",
        "dense sigmoid",
        "multiply",
    ]


def test_what_nothing_reads_goes(keras3):
    layers = keras3.layers
    inputs = keras3.Input((6,))
    hidden = layers.Dense(4)(inputs)
    model = keras3.Model(inputs, [hidden, layers.Dense(3)(hidden)])
    part = keras3.Model(inputs, model.outputs[0])
    graph = support.assert_alike(part, support.batch(6))
    assert described(graph) == ["dense"]


def test_folding_keeps_zeros_and_precision(keras3):
    """A scale of 1e-3 behind one of 1e3 would lose digits in float32."""
    layers = keras3.layers
    model = keras3.Sequential(
        [
            keras3.Input((6,)),
            layers.Dense(4),
            layers.Rescaling(1e3, 7.0),
            layers.Rescaling(1e-3, 0.1),
        ]
    )
    support.randomize(model, 0.5)
    kernel = np.asarray(model.layers[0].kernel)
    (dense,) = read.graph_of(model).operations
    np.testing.assert_allclose(dense.arrays["kernel"], kernel, 1e-6)
    assert ((kernel == 0) == (dense.arrays["kernel"] == 0)).all()


@one_keras("tf_keras")
def test_shared_layer_is_folded_call_by_call(keras):
    layers = keras.layers
    inputs = keras.Input((8, 8, 4))
    shared = layers.Conv2D(4, 3, padding="same")
    hidden = layers.BatchNormalization()(shared(inputs))
    hidden = layers.BatchNormalization()(shared(hidden))
    model = support.randomize(keras.Model(inputs, hidden))
    graph = support.assert_alike(model, support.batch(8, 8, 4))
    assert described(graph) == ["convolution", "convolution"]
