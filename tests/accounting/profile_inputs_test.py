import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import zoo
from tf_rigl.backend.call_signature import one_example


def make_subclassed(keras):
    layer = keras.layers.Dense(3, name="hidden")
    return zoo.of_layers(keras, lambda self, x: self.hidden(x), hidden=layer)


def make_two_arguments(keras):
    class TwoArguments(keras.Model):
        def __init__(self):
            super().__init__(name="two_arguments")
            self.first = keras.layers.Dense(3, name="first")
            self.second = keras.layers.Dense(3, name="second")

        def call(self, left, right=None, training=False):
            if right is None:
                raise RuntimeError("right is missing")
            return self.first(left) + self.second(right)

    return TwoArguments()


@pytest.mark.parametrize(
    "inputs",
    [
        (None, 5),
        [None, 5],
        (32, 5),
        tf.TensorShape([None, 5]),
        tf.TensorSpec([None, 5]),
        np.zeros((7, 5), np.float32),
        np.zeros((7, 5)),
        tf.zeros((2, 5)),
    ],
    ids=lambda inputs: type(inputs).__name__,
)
def test_given_inputs(keras, inputs):
    profile = tf_rigl.profile(make_subclassed(keras), inputs)
    assert profile.macs == 15
    assert profile.uncounted == ()


def test_remembered_inputs(keras):
    model = make_subclassed(keras)
    model(np.zeros((32, 6, 5), np.float32))
    assert one_example(model).arguments == (tf.TensorSpec([1, 6, 5]),)
    assert tf_rigl.profile(model).macs == 6 * 15


def test_inputs_given_once_are_remembered(keras):
    model = make_subclassed(keras)
    first = tf_rigl.profile(model, (None, 5))
    model(np.zeros((2, 5), np.float32))
    assert tf_rigl.profile(model) == first


def test_never_called(keras):
    message = (
        "never called must come with `inputs`. "
        "Received: model='subclassed', inputs=None. Pass a batch"
    )
    with pytest.raises(ValueError, match=message):
        tf_rigl.profile(make_subclassed(keras))


def test_deferred_sparse_model(keras):
    model = tf_rigl.sparsify(make_subclassed(keras), 0.8)
    with pytest.raises(
        ValueError, match="never called must come with `inputs`"
    ):
        tf_rigl.profile(model)
    profile = tf_rigl.profile(model, (None, 5))
    assert (profile.macs, profile.dense_macs) == (3, 15)
    assert profile.rows[0].masked
    assert tf_rigl.masks(model)["hidden/kernel"].sum() == 3


@pytest.mark.parametrize("called", [False, True])
def test_sequential_without_input(keras, called):
    layers = keras.layers
    model = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    if called:
        model(np.zeros((8, 5), np.float32))
    profile = tf_rigl.profile(model, None if called else (None, 5))
    assert profile.macs == 15 + 6
    assert profile.uncounted == ()


def test_arguments_by_name(keras):
    model = make_two_arguments(keras)
    inputs = {"left": (None, 5), "right": np.zeros((2, 7), np.float32)}
    assert tf_rigl.profile(model, inputs).macs == 3 * (5 + 7)
    # The model has its weights now, so it is the call itself that fails.
    with pytest.raises(Exception, match="right is missing"):
        tf_rigl.profile(model, (None, 5))


def test_remembered_inputs_do_not_suffice(keras):
    model = make_two_arguments(keras)
    left = np.zeros((2, 5), np.float32)
    model(left, right=left)
    if keras.__name__ == "tf_keras":
        # It remembers all arguments.
        assert tf_rigl.profile(model).macs == 30
        return
    message = "cannot be called on the inputs that Keras remembers .*two_arg"
    with pytest.raises(ValueError, match=message):
        tf_rigl.profile(model)
    inputs = {"left": left, "right": left}
    assert tf_rigl.profile(model, inputs).macs == 30


def test_dictionary_of_inputs(keras):
    def call(self, inputs):
        words = tf.reduce_sum(self.words(inputs["ids"]), 1)
        return self.dense(tf.concat([words, inputs["values"]], 1))

    layers = keras.layers
    words, dense = layers.Embedding(9, 2), layers.Dense(3)
    model = zoo.of_layers(keras, call, words=words, dense=dense)
    inputs = {"ids": tf.TensorSpec([None, 4], tf.int32), "values": (None, 3)}
    assert tf_rigl.profile(model, inputs).macs == 5 * 3


def test_texts(keras):
    """Splitting them leaves the number of examples open."""
    layers = keras.layers
    words = layers.TextVectorization(30, output_sequence_length=4)
    words.adapt(["a b c"])
    model = keras.Sequential(
        [
            keras.Input((), dtype="string"),
            words,
            layers.Embedding(30, 8),
            layers.Flatten(),
            layers.Dense(16),
        ]
    )
    profile = tf_rigl.profile(model)
    assert profile.macs == 4 * 8 * 16
    assert profile.uncounted == ()


@pytest.mark.parametrize("structure", [list, dict])
def test_several_inputs_of_a_functional_model(keras, structure):
    layers = keras.layers
    ids = keras.Input((4,), dtype="int32", name="ids")
    values = keras.Input((3,), name="values")
    words = layers.Flatten()(layers.Embedding(9, 2)(ids))
    outputs = layers.Dense(3)(layers.Concatenate()([words, values]))

    inputs = [ids, values]
    shapes = [(None, 4), (None, 3)]
    if structure is dict:
        inputs = {"ids": ids, "values": values}
        shapes = dict(zip(inputs, shapes, strict=True))
    model = keras.Model(inputs, outputs)
    assert tf_rigl.profile(model).macs == 11 * 3
    assert tf_rigl.profile(model, shapes).macs == 11 * 3
    # Shapes take the types of the model's own inputs.
    flat = tf.nest.flatten(one_example(model, shapes).arguments)
    assert [spec.dtype for spec in flat] == [tf.int32, tf.float32]


def test_fixed_batch(keras):
    inputs = keras.Input(batch_shape=(6, 3, 4))
    layer = keras.layers.LSTM(5, stateful=True)
    model = keras.Model(inputs, layer(inputs))
    assert one_example(model).batch == 6
    assert tf_rigl.profile(model).macs == 3 * (4 + 5) * 20
    assert tf_rigl.profile(model, (None, 3, 4)).macs == 3 * (4 + 5) * 20
