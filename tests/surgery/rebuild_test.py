"""What a smaller model keeps of the given one beside its weights."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support as training
from tests.surgery import pruning
from tests.surgery import support
from tests.surgery.shrink_test import close
from tests.surgery.shrink_test import shrink_alike


def test_statistics_of_an_adapted_normalization(keras, tmp_path):
    layers = keras.layers
    random = np.random.default_rng(0)
    data = random.normal(50, 10, (99, 3)).astype("float32")
    norm = layers.Normalization(name="norm")
    norm.adapt(data)
    model = support.chain(
        keras, (3,), norm, layers.Dense(8, "relu"), layers.Dense(2)
    )
    expected = support.outputs_of(model, data)
    small, _ = tf_rigl.shrink(model)
    close(support.outputs_of(small, data), expected)
    path = str(tmp_path / "small.keras")
    small.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(
        support.outputs_of(loaded, data), support.outputs_of(small, data)
    )


@training.keras_in_turn("name", ["w", None])
def test_weights_of_one_name(keras, name):
    """tf_keras calls all of a layer that are given no name by the same."""

    class Scale(keras.layers.Layer):
        def build(self, shape):
            given = {"shape": shape[-1:], "initializer": "random_normal"}
            self.factor = self.add_weight(name=name, **given)
            self.addend = self.add_weight(name=name, **given)
            super().build(shape)

        def call(self, inputs):
            return inputs * self.factor + self.addend

    layers = keras.layers
    model = support.chain(
        keras,
        (6,),
        layers.Dense(8, "relu", name="a"),
        layers.Dense(4, name="b"),
        Scale(name="scale"),
    )
    support.erase(model.get_layer("a"), [0, 3], "units")
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    inputs = support.example(model)
    model.fit(inputs, inputs[:, :4], verbose=0)
    support.erase(model.get_layer("a"), [0, 3], "units", bias=True)
    expected = support.outputs_of(model, inputs)
    small, report = tf_rigl.shrink(model, compiled=True)
    close(support.outputs_of(small, inputs), expected, 1e-6)
    assert report.weights == model.count_params()
    for one in (model, small):
        one.fit(inputs, inputs[:, :4], verbose=0)
    training.assert_all_equal(
        small.layers[-1].get_weights(), model.layers[-1].get_weights()
    )


@training.one_keras("keras")
def test_frequencies_of_an_adapted_vocabulary(keras):
    """Keras 2 cannot look at them; see the errors of `shrink`."""
    if keras.__name__ == "tf_keras":
        pytest.skip("an error in Keras 2")
    words = keras.layers.TextVectorization(9, output_mode="tf_idf")
    words.adapt(["a b c", "a d", "e a"])
    model = keras.Sequential(
        [keras.Input((1,), dtype="string"), words, keras.layers.Dense(2)]
    )
    small, _ = tf_rigl.shrink(model)
    texts = tf.constant([["a a e"], ["c b"]])
    np.testing.assert_array_equal(small(texts), model(texts))


def multiplied(factor):
    def multiply(inputs):
        return factor * inputs

    return multiply


def relu(inputs):
    """A function that has the name of one of Keras's."""
    return 2 * tf.nn.relu(inputs)


def layer_class(keras, factor):
    class Multiplied(keras.layers.Layer):
        def call(self, inputs):
            return factor * inputs

    return Multiplied


@pytest.mark.parametrize(
    "make",
    [
        lambda keras: [
            keras.layers.Dense(4, multiplied(2.0)),
            keras.layers.Dense(4, multiplied(5.0)),
        ],
        lambda keras: [
            keras.layers.Dense(4, relu),
            keras.layers.Dense(4, "relu"),
        ],
        lambda keras: [
            keras.layers.Dense(4, lambda inputs: 2.0 * inputs),
            keras.layers.Dense(4, lambda inputs: 7.0 * inputs),
        ],
        lambda keras: [
            keras.layers.Lambda(multiplied(2.0), output_shape=(4,)),
            keras.layers.Lambda(multiplied(7.0), output_shape=(4,)),
        ],
        # The function refers to a module.
        lambda keras: [
            keras.layers.Lambda(lambda x: tf.square(x), output_shape=(4,))
        ],
        lambda keras: [layer_class(keras, 2.0)(), layer_class(keras, 9.0)()],
    ],
    ids=("functions name lambdas layers global classes".split()),
)
def test_functions_and_classes_of_one_name(keras, make):
    """Each stays what it is, and keeps its name."""
    layers = make(keras)
    model = support.chain(
        keras,
        (4,),
        keras.layers.Dense(6, name="a"),
        keras.layers.Dense(4, name="b"),
        *layers,
        keras.layers.Dense(2, name="out"),
    )
    support.randomize(model)
    support.erase(model.get_layer("a"), [1, 2], "units")
    small, report = shrink_alike(model)
    assert report.rows[0].units_left == 4
    names = [type(one).__name__ for one in model.layers]
    assert [type(one).__name__ for one in small.layers] == names
    assert relu.__name__ == "relu"
    assert tf_rigl.prune_channels(model, 0.5).report.rows[0].units_left == 3


@training.one_keras("tf_keras")
def test_partial_functions_are_an_error(keras):
    act = functools.partial(tf.clip_by_value, clip_value_min=0)
    layer = keras.layers.Dense(4, name="a")
    model = support.chain(keras, (4,), layer, keras.layers.Dense(2))
    layer.activation = act
    with pytest.raises(ValueError, match=r"partial.*activation=.* of 'a'"):
        tf_rigl.shrink(model)


def test_initial_values_that_are_arrays(keras, tmp_path):
    """As those of embeddings from a file; the rest is of what is left."""
    matrix = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
    constant = keras.initializers.Constant
    inputs = keras.Input((5,), dtype="int32")
    hidden = keras.layers.Embedding(
        9, 4, embeddings_initializer=constant(matrix), name="words"
    )(inputs)
    bias = constant([1.0, 2.0, 3.0, 4.0])
    hidden = keras.layers.Dense(4, bias_initializer=bias, name="a")(hidden)
    hidden = keras.layers.GlobalAveragePooling1D()(hidden)
    model = keras.Model(inputs, keras.layers.Dense(2, name="out")(hidden))
    small, report = pruning.prune_alike(model, 0.5)

    path = str(tmp_path / "small.keras")
    small.save(path)
    ids = support.example(model)
    loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(loaded(ids), small(ids))
    table = small.get_layer("words")
    table.set_weights([np.zeros((9, 2))])
    tf_rigl.reinitialize(small)
    left = matrix[:, report.masks["words"]]
    np.testing.assert_array_equal(table.get_weights()[0], left)


def test_slices_of_models_that_were_loaded(keras, tmp_path):
    layers = keras.layers
    inputs = keras.Input((6, 8))
    hidden = layers.Dense(6, name="a")(inputs)[:, 1:, :]
    hidden = layers.Dense(5, name="b")(hidden[..., 1:4])
    model = keras.Model(inputs, layers.Dense(2)(hidden))
    support.randomize(model)
    once, _ = pruning.prune_alike(model, 0.4)
    path = str(tmp_path / "once.keras")
    once.save(path)
    loaded = keras.models.load_model(path)
    for again in (once, loaded):
        small, _ = pruning.prune_alike(again, 0.4)
        assert small.count_params() < once.count_params()
