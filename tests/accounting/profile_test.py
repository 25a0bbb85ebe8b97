"""Whole models: what is counted, and what stays as it was."""

import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import tf_rigl
from tests import support
from tests import zoo
from tests.accounting.support import chain
from tests.accounting.support import macs
from tests.core import strategies
from tf_rigl.models import mlp

LENET = """\
Model 'lenet_300_100', one example

weight         shape    non-zeros  sparsity    MACs   bytes
-----------------------------------------------------------
fc1/kernel     784×300      3,621   98.46 %  3.62 k  43.9 k
fc2/kernel     300×100      1,336   95.55 %  1.34 k  9.09 k
logits/kernel  100×10         367   63.30 %     367  1.59 k
3 others                      410     dense       0  1.64 k

total        dense  sparse   share
----------------------------------
weights    266,610   5,734  2.15 %
MACs       266,200   5,324  2.00 %
FLOPs      532,400  10,648  2.00 %
bytes    1,066,440  56,211  5.27 %

Sparsity: 98.00 % of the 266,200 weights with a mask, 97.85 % of all 266,610.
Dense, without a mask: 410 in biases.
Counted: the multiply-accumulates (MACs) of weights and of attention's products,
two FLOPs for each. Not counted: biases, normalization, activations, pooling,
embedding look-ups. Bytes: 4 for each non-zero weight and, where a mask has
zeros, 1 bit for each position."""


def test_lenet(keras):
    model = mlp.lenet_300_100(keras)
    dense = tf_rigl.profile(model)
    assert dense.macs == dense.dense_macs == 266_200
    assert dense.parameters == dense.nonzeros == 266_610
    assert dense.bytes == dense.dense_bytes == 4 * 266_610
    assert dense.sparsity == 0
    sparse = tf_rigl.profile(tf_rigl.sparsify(model, 0.98))
    assert str(sparse) == LENET
    masks = tf_rigl.masks(model)
    assert {row.path for row in sparse.rows if row.masked} == set(masks)
    for row in sparse.rows:
        if row.masked:
            assert row.nonzeros == masks[row.path].sum()
    assert tf_rigl.profile(tf_rigl.strip(model)) == dense


@strategies.examples(8)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=3),
    st.floats(0, 0.7),
    st.sampled_from(["uniform", "erk"]),
)
def test_invariants(units, sparsity, distribution):
    model = mlp.lenet_300_100(keras3, (4, 3), 5, units)
    dense = tf_rigl.profile(model)
    sparse = tf_rigl.profile(tf_rigl.sparsify(model, sparsity, distribution))
    assert dense.macs == dense.dense_macs == sparse.dense_macs
    assert sparse.macs <= sparse.dense_macs
    assert sparse.dense_bytes == dense.bytes
    assert sparse.parameters == dense.parameters == dense.nonzeros
    missing = sum((~mask).sum() for mask in tf_rigl.masks(model).values())
    assert sparse.nonzeros == dense.nonzeros - missing
    assert sparse.macs == dense.macs - missing


def test_all_weights_are_counted_but_masks(keras):
    layers = keras.layers
    model = chain(
        keras,
        (8, 8, 3),
        layers.Conv2D(4, 3),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(5),
    )

    before = model.count_params()
    profile = tf_rigl.profile(tf_rigl.sparsify(model, 0.5))
    assert profile.parameters == before
    paths = [row.path.rpartition("/")[2] for row in profile.rows]
    assert sorted(paths) == sorted(
        "kernel bias gamma beta moving_mean moving_variance kernel bias".split()
    )


def test_rows_of_masked_weights_have_the_paths_of_masks(keras):
    layers = keras.layers
    inputs = keras.Input((6, 4))
    features = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    features = layers.Bidirectional(
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(3)], True)
    )(features)
    features = layers.TimeDistributed(layers.Dense(3))(features)
    outputs = layers.SeparableConv1D(3, 2)(features)
    model = tf_rigl.sparsify(keras.Model(inputs, outputs), 0.5)

    masks = tf_rigl.masks(model)
    rows = [row for row in tf_rigl.profile(model).rows if row.masked]
    assert {row.path: row.nonzeros for row in rows} == {
        path: mask.sum() for path, mask in masks.items()
    }
    assert len(rows) == 4 + 2 * 4 + 1 + 1
    for row in rows:
        assert row.macs * row.parameters == row.dense_macs * row.nonzeros > 0


def test_shared_layer_counts_each_use(keras):
    shared = keras.layers.Dense(3, name="shared")
    inputs = keras.Input((7, 3))
    outputs = keras.layers.Add()([shared(inputs), shared(shared(inputs))])
    profile = tf_rigl.profile(keras.Model(inputs, outputs))
    assert macs(profile) == {"shared/kernel": 3 * 7 * 9}
    assert profile.parameters == 12


def test_nested_models(keras):
    layers = keras.layers
    inner_inputs = keras.Input((4,))
    inner = keras.Model(inner_inputs, layers.Dense(4)(inner_inputs))
    block = zoo.of_layers(
        keras,
        lambda self, x: self.b(self.a(x)),
        a=layers.Dense(4),
        b=keras.Sequential([keras.Input((4,)), layers.Dense(4)]),
    )
    inputs = keras.Input((4,))
    outer = keras.Model(inputs, inner(block(inner(inputs))))
    profile = tf_rigl.profile(outer)
    assert sorted(macs(profile).values()) == [16, 16, 2 * 16]
    assert profile.uncounted == ()


def test_lists_and_dictionaries_of_layers(keras):
    dense = keras.layers.Dense

    def call(self, inputs):
        for layer in self.blocks:
            inputs = layer(inputs)
        return self.heads["left"](inputs), self.heads["right"](inputs)

    model = zoo.of_layers(
        keras,
        call,
        blocks=[dense(4), dense(6)],
        heads={"left": dense(2), "right": dense(3)},
    )
    profile = tf_rigl.profile(model, (None, 5))
    assert profile.macs == 20 + 24 + 12 + 18


def test_functions_within_the_model(keras):
    layer = keras.layers.Dense(4, name="dense")
    call = tf.function(lambda x: layer(x))
    model = zoo.of_layers(keras, lambda self, x: call(call(x)), dense=layer)
    model(np.zeros((1, 4), np.float32))
    for _ in range(2):
        assert tf_rigl.profile(model).macs == 2 * 16


def test_batch_that_holds_other_dimensions(keras):
    def call(self, inputs):
        patches = tf.reshape(inputs, (-1, 4))
        return tf.reshape(self.dense(patches), (tf.shape(inputs)[0], -1))

    model = zoo.of_layers(keras, call, dense=keras.layers.Dense(3))
    assert tf_rigl.profile(model, (None, 6, 4)).macs == 6 * 12


def test_tied_weights(keras):
    class Tied(keras.layers.Dense):
        def __init__(self, other):
            super().__init__(4, use_bias=False, name="tied")
            self.other = [other]

        def build(self, input_shape):
            name = "_kernel" if keras.__name__ == "keras" else "kernel"
            setattr(self, name, self.other[0].kernel)
            self.bias = None
            self.built = True

    first = keras.layers.Dense(4, use_bias=False, name="first")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Tied(first)(first(inputs)))
    profile = tf_rigl.profile(model)
    assert macs(profile) == {"first/kernel": 2 * 16}
    assert profile.parameters == 16


def test_nothing_changes(keras):
    layers = keras.layers
    model = zoo.of_layers(
        keras,
        lambda self, x: self.out(self.norm(self.drop(self.hidden(x)))),
        hidden=layers.Dense(4, activity_regularizer="l2"),
        drop=layers.Dropout(0.5),
        norm=layers.BatchNormalization(),
        out=layers.Dense(2, kernel_regularizer="l2"),
    )
    batch = np.ones((3, 5), np.float32)
    model(batch)

    classes = [type(layer) for layer in model.layers]
    weights = model.get_weights()
    expected = model(batch)
    state = tf.random.get_global_generator().state.numpy()
    tf_rigl.profile(model)
    tf_rigl.profile(model, (None, 5))

    assert [type(layer) for layer in model.layers] == classes
    support.assert_all_equal(weights, model.get_weights())
    np.testing.assert_array_equal(expected, model(batch))
    np.testing.assert_array_equal(
        state, tf.random.get_global_generator().state.numpy()
    )
    assert all(np.isfinite(float(loss)) for loss in model.losses)
    assert not tf.config.functions_run_eagerly()


def test_keras_2_remembers_no_call(keras):
    if keras.__name__ == "keras":
        pytest.skip("Keras 3 remembers what a model was built for")
    model = zoo.of_layers(
        keras, lambda self, x: self.d(x), d=keras.layers.Dense(2)
    )
    model.build((None, 3, 5))
    assert tf_rigl.profile(model, (None, 7, 5)).macs == 7 * 10
    assert model.save_spec() is None
    model(np.zeros((4, 6, 5)))
    assert model.save_spec()[0][0].shape.as_list() == [None, 6, 5]


def test_classes_come_back_after_an_error(keras):
    def call(self, inputs):
        if len(inputs.shape) == 3:
            raise RuntimeError("three dimensions")
        return self.dense(inputs)

    model = zoo.of_layers(keras, call, dense=keras.layers.Dense(2))
    model(np.zeros((2, 3), np.float32))
    classes = [type(model), type(model.dense)]
    with pytest.raises(RuntimeError, match="three dimensions"):
        tf_rigl.profile(model, (None, 4, 3))
    assert [type(model), type(model.dense)] == classes
    assert not tf.config.functions_run_eagerly()


def test_replicas(keras, two_replicas):
    with two_replicas.scope():
        model = mlp.lenet_300_100(keras, (4,), 3, (8,))
        tf_rigl.sparsify(model, 0.5)
    profile = tf_rigl.profile(model)
    assert (profile.macs, profile.dense_macs) == (28, 56)


@pytest.mark.parametrize("thing", [None, 3, "model", tf.Module()])
def test_not_a_model(thing):
    with pytest.raises(TypeError, match="Keras"):
        tf_rigl.profile(thing)


def test_layer_is_not_a_model(keras):
    with pytest.raises(TypeError, match="`model` must be a Keras model"):
        tf_rigl.profile(keras.layers.Dense(3))
