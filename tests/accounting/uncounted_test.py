import keras as keras3
import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import zoo
from tests.accounting.support import chain
from tests.accounting.support import macs
from tests.accounting.support import reasons

UNKNOWN_CLASS = "how the weights of its class are used is not known"


def unsure(profile):
    return [row.path for row in profile.rows if not row.counted]


def test_unknown_sizes_are_listed(keras):
    layers = keras.layers
    inputs = keras.Input((None, 4))
    features = layers.LSTM(3, return_sequences=True, name="lstm")(inputs)
    features = layers.TimeDistributed(layers.Dense(2, name="step"))(features)
    features = layers.Conv1D(2, 3, name="conv")(features)
    features = layers.GlobalAveragePooling1D()(features)
    model = keras.Model(inputs, layers.Dense(2, name="out")(features))

    profile = tf_rigl.profile(model)
    advice = "a size it depends on is unknown; pass `inputs` with all sizes"
    assert all(advice in reason for reason in reasons(profile).values())
    listed = [path.rpartition("/")[2] for path in reasons(profile)]
    assert listed == ["lstm", "step", "conv"]
    assert macs(profile) == {"out/kernel": 4}
    assert len(unsure(profile)) == 4
    assert "?" in str(profile)

    known = tf_rigl.profile(model, (None, 7, 4))
    assert known.uncounted == ()
    assert known.macs == 7 * 7 * 12 + 7 * 6 + 5 * 12 + 4


def make_custom_layer(keras):
    class Custom(keras.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight(name="w", shape=(input_shape[-1], 3))
            self.built = True

        def call(self, inputs):
            return tf.matmul(inputs, self.w)

    return Custom(name="custom")


def test_custom_layer_is_listed(keras):
    profile = tf_rigl.profile(chain(keras, (4,), make_custom_layer(keras)))
    assert [tuple(layer) for layer in profile.uncounted] == [
        ("custom", "Custom", "it runs MatMul of its own"),
        ("custom", "Custom", UNKNOWN_CLASS),
    ]
    assert profile.parameters == 12
    assert unsure(profile) == ["custom/w"]


def test_products_of_a_weightless_layer_are_listed(keras):
    layers = keras.layers
    gram = layers.Lambda(
        lambda x: tf.matmul(x, x, transpose_b=True),
        output_shape=(5, 5),
        name="gram",
    )
    profile = tf_rigl.profile(chain(keras, (5, 4), gram, layers.Dense(2)))
    assert reasons(profile) == {"gram": "it runs BatchMatMulV2 of its own"}
    assert profile.macs == 5 * 5 * 2


def test_products_of_a_functional_graph_are_listed(keras):
    inputs = keras.Input((5, 4))
    features = keras.layers.Dense(3)(inputs)
    if keras.__name__ == "keras":
        outputs = keras.ops.matmul(
            features, keras.ops.transpose(features, (0, 2, 1))
        )
    else:
        outputs = tf.matmul(features, features, transpose_b=True)
    profile = tf_rigl.profile(keras.Model(inputs, outputs))
    assert len(profile.uncounted) == 1
    assert "BatchMatMul" in profile.uncounted[0].reason
    assert profile.macs == 5 * 12


def test_weightless_custom_layer_without_products_is_not_listed(keras):
    class Shift(keras.layers.Layer):
        def call(self, inputs):
            return inputs + tf.reduce_mean(inputs)

    assert tf_rigl.profile(chain(keras, (4,), Shift())).uncounted == ()


def test_layer_that_is_not_called_is_listed(keras):
    unused = keras.layers.Dense(3, name="unused")
    unused.build((None, 4))
    model = zoo.of_layers(
        keras,
        lambda self, x: self.used(x),
        used=keras.layers.Dense(2, name="used"),
        other=unused,
    )
    profile = tf_rigl.profile(model, (None, 4))
    assert reasons(profile) == {"unused": "it is not called in a forward pass"}
    assert unsure(profile) == ["unused/kernel"]
    assert profile.parameters == 4 * 2 + 2 + 4 * 3 + 3


# Keras 3 says that it takes the model for built.
@pytest.mark.filterwarnings("ignore:.build... was called on layer")
def test_unused_layers_that_have_no_weights_yet(keras):
    layers = keras.layers
    model = zoo.of_layers(
        keras,
        lambda self, x: self.used(x),
        used=layers.Dense(2, name="used"),
        layer=layers.Dense(3),
        model=keras.Sequential([layers.Dense(3)]),
    )
    profile = tf_rigl.profile(model, (None, 4))
    assert profile.uncounted == ()
    assert profile.parameters == 10


def test_loops_are_listed(keras):
    def call(self, inputs):
        mapped = tf.map_fn(lambda x: self.mapped(x[None])[0], inputs)
        return mapped + tf.vectorized_map(
            lambda x: self.vectorized(x[None])[0], inputs
        )

    model = zoo.of_layers(
        keras,
        call,
        mapped=keras.layers.Dense(4, name="mapped"),
        vectorized=keras.layers.Dense(4, name="vectorized"),
    )
    model(np.zeros((2, 4), np.float32))
    profile = tf_rigl.profile(model)
    assert reasons(profile) == {
        "subclassed": "it runs While of its own",
        "mapped": "it runs within a loop or a branch, any number of times",
        "vectorized": "it runs within a loop or a branch, any number of times",
    }
    assert profile.macs == 0


def test_custom_cell_is_listed(keras):
    class Cell(keras.layers.Layer):
        state_size = output_size = 4

        def __init__(self):
            super().__init__(name="cell")
            self.dense = keras.layers.Dense(4, name="dense")

        def build(self, input_shape):
            self.dense.build((None, 4))
            self.built = True

        def call(self, inputs, states):
            outputs = self.dense(states[0]) + inputs
            return outputs, [outputs]

    inputs = keras.Input((5, 4))
    outputs = keras.layers.RNN(Cell(), name="rnn")(inputs)
    profile = tf_rigl.profile(keras.Model(inputs, outputs))
    assert reasons(profile) == {
        "rnn/cell/dense": "it runs within the loop of an RNN layer"
    }
    assert profile.macs == 0


def test_layers_of_no_rule_are_listed(keras):
    model = chain(keras, (3, 6, 6, 2), keras.layers.ConvLSTM2D(2, 3))
    profile = tf_rigl.profile(model)
    assert profile.macs == 0
    assert profile.parameters == model.count_params()
    assert UNKNOWN_CLASS in {layer.reason for layer in profile.uncounted}


def test_computed_kernel_is_listed():
    layer = keras3.layers.Dense(3, name="low_rank")
    model = chain(keras3, (4,), layer)
    layer.enable_lora(2)
    profile = tf_rigl.profile(model)
    reason = "what it multiplies is computed from its weights"
    assert reasons(profile) == {"low_rank": reason}
    assert profile.macs == 0
