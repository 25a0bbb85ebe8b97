"""What moves, joins, looks up and normalizes positions."""

import hypothesis
import keras as keras3
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

import tf_rigl
from tests.export.plan import support
from tests.support import keras_in_turn
from tf_rigl.export.plan import read

SHAPES = st.lists(st.integers(1, 7), min_size=1, max_size=3).map(tuple)


def check(keras, layer, *shape):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(inputs))
    support.randomize(model)
    return support.assert_alike(model, support.batch(*shape))


@keras_in_turn("scale", [True, False], lambda scale: not scale)
def test_layer_normalization(keras, scale):
    @support.few(6)
    @hypothesis.given(SHAPES, st.booleans(), st.sampled_from([1e-3, 1e-6]))
    def check_one(shape, center, epsilon):
        layer = keras.layers.LayerNormalization(
            scale=scale, center=center, epsilon=epsilon
        )
        # One channel is its own mean, and what is left of it is rounding.
        shape = (*shape[:-1], shape[-1] + 1)
        graph = check(keras, layer, *shape)
        assert support.kinds(graph) == ["normalize"]

    check_one()


@pytest.mark.parametrize("shape", [(9,), (5, 9), (2, 3, 9)])
def test_rms_normalization(keras3, shape):
    layer = keras3.layers.RMSNormalization()
    assert support.kinds(check(keras3, layer, *shape)) == ["normalize"]


@keras_in_turn("dims", [(2, 1), (1, 2), (3, 1, 2), (2, 1, 3), (1, 3, 2)])
def test_permute(keras, dims):
    shape = (3, 4, 5)[: len(dims)]
    graph = check(keras, keras.layers.Permute(dims), *shape)
    expected = "affine" if dims == (1, 2) else "transpose"
    assert support.kinds(graph) == [expected]
    # Vectors lie in memory as both ways.
    check(keras, keras.layers.Permute(dims), *(1,) * (len(dims) - 1), 6)


FUNCTIONS = {
    "transpose": (
        lambda x: keras3.ops.transpose(x, (0, 3, 1, 2)),
        lambda x: tf.transpose(x, (0, 3, 1, 2)),
    ),
    "swap": (
        lambda x: keras3.ops.swapaxes(x, 1, 3),
        lambda x: tf.transpose(x, (0, 3, 2, 1)),
    ),
    "row": (lambda x: x[:, 0], lambda x: x[:, 0]),
    "column": (lambda x: x[:, :, -1], lambda x: x[:, :, -1]),
    "block": (lambda x: x[:, 1:4, ::2, 1:], lambda x: x[:, 1:4, ::2, 1:]),
    "one": (lambda x: x[:, 1, 2, 3:4], lambda x: x[:, 1, 2, 3:4]),
    "take": (
        lambda x: keras3.ops.take(x, [0, 2], axis=1),
        lambda x: tf.gather(x, [0, 2], axis=1),
    ),
    "join": (
        lambda x: keras3.ops.concatenate([x, x[:, 2:]], 1),
        lambda x: tf.concat([x, x[:, 2:]], 1),
    ),
    "join columns": (
        lambda x: keras3.ops.concatenate([x[:, :, :1], x], 2),
        lambda x: tf.concat([x[:, :, :1], x], 2),
    ),
    "positions": (
        lambda x: 2 - (x + np.eye(5, 4, dtype="f")) * np.ones((4, 5, 1), "f"),
        lambda x: 2 - (x + np.eye(5, 4, dtype="f")) * np.ones((4, 5, 1), "f"),
    ),
    "divided": (
        lambda x: x / (1 + np.arange(20, dtype="f").reshape(1, 4, 5, 1)),
        lambda x: x / (1 + np.arange(20, dtype="f").reshape(1, 4, 5, 1)),
    ),
}


@keras_in_turn("name", FUNCTIONS)
def test_function(keras, name):
    of_keras3, of_tensorflow = FUNCTIONS[name]
    shape = (4, 5, 4)
    inputs = keras.Input(shape)
    outputs = (of_keras3 if keras is keras3 else of_tensorflow)(inputs)
    support.assert_alike(keras.Model(inputs, outputs), support.batch(*shape))


@keras_in_turn("sizes", [((1, 6), (4, 6)), ((1, 6), (1, 6)), ((3, 1, 6),)])
def test_concatenation_of_positions(keras, sizes):
    """Values of one position are vectors, and lie in memory as such."""
    inputs = [keras.Input(shape) for shape in (*sizes, sizes[-1])]
    outputs = keras.layers.Concatenate(axis=1)(inputs)
    batches = [support.batch(*one.shape[1:]) for one in inputs]
    model = keras.Model(inputs, keras.layers.ReLU()(outputs))
    support.assert_alike(model, *batches)


@keras_in_turn("dtype", ["int32", "float32", "int64"])
def test_embedding(keras, dtype):
    @support.few(4)
    @hypothesis.given(
        st.lists(st.integers(1, 6), min_size=1, max_size=2),
        st.integers(1, 20),
        st.sampled_from([0, 0.5, 0.9]),
    )
    def check_one(shape, rows, sparsity):
        inputs = keras.Input(shape, dtype=dtype)
        outputs = keras.layers.Embedding(rows, 7)(inputs)
        model = support.randomize(keras.Model(inputs, outputs), sparsity)
        numbers = np.random.default_rng(0).integers(0, rows, (5, *shape))
        graph = support.assert_alike(model, numbers.astype(dtype))
        assert support.kinds(graph) == ["embedding"]
        assert graph.rows(graph.inputs[0]) == rows

    check_one()


def test_embedding_of_what_is_computed(keras3):
    layers = keras3.layers
    inputs = keras3.Input((4,))
    model = keras3.Model(
        inputs, layers.Embedding(5, 3, name="late")(layers.ReLU()(inputs))
    )
    with pytest.raises(ValueError, match=r"late \(Embedding\): .* computes"):
        read.graph_of(model)


@keras_in_turn("name", ["attention", "mean", "recurrent", "custom"])
def test_masks_are_refused_where_they_matter(keras, name):
    """They would be ignored, and outputs be wrong in silence."""
    layers = keras.layers

    class Attending(layers.Layer):
        def __init__(self):
            super().__init__()
            self.supports_masking = True
            self.attend = layers.MultiHeadAttention(2, 3)

        def call(self, inputs):
            return self.attend(inputs, inputs)

    tokens = keras.Input((6,), dtype="int32")
    hidden = layers.Embedding(9, 8, mask_zero=True)(tokens)
    hidden = layers.LayerNormalization()(layers.Dense(6)(hidden))
    if name == "attention":
        outputs = layers.MultiHeadAttention(2, 3)(hidden, hidden)
    elif name == "mean":
        outputs = layers.GlobalAveragePooling1D()(hidden)
    elif name == "recurrent":
        outputs = layers.GRU(3)(hidden)
    else:
        outputs = Attending()(hidden)
    with pytest.raises(ValueError, match=r"masked.*mask_zero=False"):
        read.graph_of(keras.Model(tokens, outputs))


@keras_in_turn("layer", ["Dropout"])
def test_masks_that_nothing_heeds_are_ignored(keras, layer):
    layers = keras.layers
    tokens = keras.Input((6,), dtype="int32")
    hidden = layers.Embedding(9, 8, mask_zero=True)(tokens)
    hidden = getattr(layers, layer)(0.5)(layers.Dense(6)(hidden))
    model = support.randomize(keras.Model(tokens, hidden))
    support.assert_alike(model, np.array([[0, 1, 2, 3, 4, 5]]))


@keras_in_turn("count", [3])
def test_positions_are_constants(keras, count):
    """Also where code computes them from what is the same for each input."""

    class Embedded(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.tokens = keras.layers.Embedding(9, 4)
            self.positions = keras.layers.Embedding(count, 4)

        def call(self, inputs):
            return self.tokens(inputs) + self.positions(np.arange(count))

    inputs = keras.Input((count,), dtype="int32")
    model = support.randomize(keras.Model(inputs, Embedded()(inputs)))
    graph = support.assert_alike(model, np.array([[1, 8, 0], [3, 3, 2]]))
    assert support.kinds(graph) == ["embedding", "constant", "add"]


@keras_in_turn("dtype", ["float32", "int32"])
def test_export_draws_numbers_of_rows(keras, dtype, tmp_path):
    inputs = keras.Input((5,), dtype=dtype, name="tokens")
    hidden = keras.layers.Embedding(1000, 8)(inputs)
    model = keras.Model(inputs, keras.layers.Flatten()(hidden))
    report = tf_rigl.export_plan(model, tmp_path / "model.plan")
    assert report.relative_error in (None, 0)
