"""Errors name the layer, the rule and the way out."""

import keras as keras3
import pytest
import tensorflow as tf

import tf_rigl
from tests.support import keras_in_turn
from tf_rigl.export.plan import read

IMAGES = (4, 5, 6)
LAYERS = {
    "UnitNormalization": (lambda layers: layers.UnitNormalization(), None),
    "normalization of columns": (
        lambda layers: layers.LayerNormalization(axis=(1, 2)),
        "axis=-1",
    ),
    "Conv2DTranspose": (lambda layers: layers.Conv2DTranspose(3, 2), None),
    "UpSampling2D": (lambda layers: layers.UpSampling2D(), None),
    "normalization of rows": (
        lambda layers: layers.BatchNormalization(axis=1),
        "axis=-1",
    ),
    "softmax of rows": (
        lambda layers: layers.Softmax(axis=1),
        "last dimension",
    ),
    "activation": (
        lambda layers: layers.Conv2D(3, 2, activation="softplus"),
        "relu6",
    ),
    "softmax of rows as a function": (
        lambda layers: layers.Activation(lambda x: tf.nn.softmax(x, axis=2)),
        "softmax",
    ),
    "activation layer": (lambda layers: layers.Activation("selu"), "swish"),
    "distributed": (
        lambda layers: layers.TimeDistributed(layers.Conv1D(3, 2)),
        "TimeDistributed of Activation",
    ),
    "channels first": (
        lambda layers: layers.AveragePooling2D(2, data_format="channels_first"),
        "channels_last",
    ),
}


@keras_in_turn("name", LAYERS)
def test_layer(keras, name):
    make, fix = LAYERS[name]
    inputs = keras.Input(IMAGES)
    layer = make(keras.layers)
    outputs = keras.layers.Dense(3)(layer(inputs))
    model = keras.Model(inputs, outputs, name="mine")
    fix = fix or "export_litert"
    kind = type(layer).__name__
    with pytest.raises(
        ValueError, match=rf"'mine' with {layer.name} \({kind}\): .*{fix}"
    ):
        read.graph_of(model)


@keras_in_turn("training", [True])
def test_layer_called_as_in_training(keras, training):
    inputs = keras.Input(IMAGES)
    outputs = keras.layers.BatchNormalization()(inputs, training=training)
    with pytest.raises(ValueError, match=r"called with \[True\]"):
        read.graph_of(keras.Model(inputs, outputs))


def test_many_layers_are_counted(keras3):
    layers = keras3.layers
    model = keras3.Sequential(
        [keras3.Input((4, 6)), *[layers.UnitNormalization() for _ in range(5)]]
    )
    with pytest.raises(ValueError, match=r"There are 2 more.*check_plan"):
        read.graph_of(model)


def test_code_that_is_not_symbolic(keras3):
    class Model(keras3.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = keras3.layers.Dense(3)

        def call(self, inputs):
            return tf.sin(self.dense(inputs))

    model = Model()
    model(tf.ones((1, 4)))
    with pytest.raises(
        ValueError, match=r"own \(Model\): its code cannot.*keras\.Model"
    ):
        read.graph_of(model)


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (lambda ops, x: ops.sum(x, 1), "plans do not have it"),
        (lambda ops, x: ops.transpose(x, (1, 0, 2, 3)), "batch apart"),
        (lambda ops, x: ops.mean(x, 1), r"its axis is \[1\]"),
        (lambda ops, x: x[:, ::-1], "in another order"),
        (lambda ops, x: ops.take(x, [0, 1, 3], 1), "in another order"),
        (lambda ops, x: ops.take(x, [0], 0), "part of the batch"),
        (lambda ops, x: ops.reshape(x, (-1, 6)), "examples of a batch apart"),
        (lambda ops, x: x / ops.relu(x), "divides by what is computed"),
        (lambda ops, x: ops.pad(x, [[0, 0]] * 3 + [[0, 1]]), "it pads by"),
        (lambda ops, x: ops.expand_dims(x, 1), "4 dimensions"),
        (
            lambda ops, x: x + ops.reshape(ops.arange(240.0), (2, 4, 5, 6)),
            "all examples of a batch",
        ),
        (lambda ops, x: ops.concatenate([x, x], 0), "its axis is 0"),
        (
            lambda ops, x: ops.matmul(x, ops.swapaxes(x[:, :1], 2, 3)),
            "as many of each",
        ),
        (lambda ops, x: ops.maximum(x, ops.relu(x)), "2 tensors"),
    ],
)
def test_function(keras3, outputs, reason):
    inputs = keras3.Input(IMAGES)
    model = keras3.Model(inputs, outputs(keras3.ops, inputs))
    with pytest.raises(ValueError, match=reason):
        read.graph_of(model)


def test_windows_that_do_not_fit(keras3):
    inputs = keras3.Input((None, None, 3))
    model = keras3.Model(inputs, keras3.layers.Conv2D(3, 5)(inputs))
    with pytest.raises(ValueError, match=r"do not fit.*larger images"):
        read.graph_of(model, (None, 4, 8, 3))


def test_quantized_layer(keras3):
    model = keras3.Sequential([keras3.Input((4,)), keras3.layers.Dense(3)])
    model.layers[0].quantize("int8")
    with pytest.raises(ValueError, match=r"quantized.*before `quantize`"):
        read.graph_of(model)


def test_inputs_of_many_dimensions(keras3):
    inputs = keras3.Input((3, 4, 5, 6))
    model = keras3.Model(inputs, keras3.layers.ReLU()(inputs))
    with pytest.raises(ValueError, match="one to 3 dimensions"):
        read.graph_of(model)


def test_no_model():
    with pytest.raises(TypeError, match="Keras 3"):
        tf_rigl.export_plan("model", "model.plan")
    assert keras3.backend.backend() == "tensorflow"
