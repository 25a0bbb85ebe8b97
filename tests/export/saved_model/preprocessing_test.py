import importlib

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests.export import support
from tests.support import FLAVORS
from tests.support import in_turn
from tests.support import one_keras

# Encodings that any mask fits.
ANY_MASK = ("gaps", "bit_mask", "dense")
COLORS = ["red", "green", "blue"]
BATCH = {
    "number": tf.constant([[1], [3], [9]], tf.int64),
    "text": tf.constant(["a b", "C d, e", "unseen"]),
    "value": tf.constant([[1.0], [3.0], [9.0]]),
    "word": tf.constant([["red"], ["blue"], ["other"]]),
}


def adapted(layer, data):
    layer.adapt(data)
    return layer


def branches(keras, folder):
    layers = keras.layers
    texts = ["a b c", "d e"]
    for mode in ("one_hot", "multi_hot", "count"):
        yield layers.StringLookup(vocabulary=COLORS, output_mode=mode), "word"
        yield (
            layers.IntegerLookup(vocabulary=[1, 2], output_mode=mode),
            ("number"),
        )
        yield layers.CategoryEncoding(10, output_mode=mode), "number"

    for mode in ("multi_hot", "tf_idf"):
        words = layers.TextVectorization(9, output_mode=mode)
        yield adapted(words, texts), "text"
        words = layers.StringLookup(output_mode=mode)
        yield adapted(words, BATCH["word"]), "word"

    (folder / "colors.txt").write_text("\n".join(COLORS))
    yield (
        layers.StringLookup(
            vocabulary=str(folder / "colors.txt"), output_mode="multi_hot"
        ),
        "word",
    )

    yield layers.Hashing(4, output_mode="multi_hot"), "word"
    values = layers.Discretization(num_bins=3, output_mode="one_hot")
    yield adapted(values, BATCH["value"]), "value"
    yield adapted(layers.Normalization(), BATCH["value"]), "value"


def make_model(keras, folder):
    layers = keras.layers
    inputs = {
        name: keras.Input(one.shape[1:], dtype=one.dtype.name, name=name)
        for name, one in BATCH.items()
    }
    features = [layer(inputs[name]) for layer, name in branches(keras, folder)]

    words = layers.TextVectorization(30, output_sequence_length=4)
    indices = adapted(words, ["a b c", "d e"])(inputs["text"])
    features.append(layers.Flatten()(layers.Embedding(30, 8)(indices)))
    numbers = inputs["number"]
    crossing = layers.HashedCrossing(8, output_mode="one_hot")
    features.append(crossing((numbers, numbers)))

    hidden = layers.Dense(32, "relu")(layers.Concatenate()(features))
    return keras.Model(inputs, layers.Dense(4)(hidden))


@pytest.fixture(scope="module", params=FLAVORS)
def prepared(request, tmp_path_factory):
    keras = importlib.import_module(request.param)
    keras.utils.set_random_seed(1)
    model = make_model(keras, tmp_path_factory.mktemp("vocabulary"))
    tf_rigl.sparsify(model, 0.5)
    assert tf_rigl.profile(model).macs > 0
    return model, support.infer(model, BATCH)


@pytest.mark.parametrize(
    ("compression", "prepared"),
    in_turn(["smallest", None, *ANY_MASK], lambda one: one in ANY_MASK),
    indirect=["prepared"],
)
def test_preprocessing_is_exported(prepared, compression, tmp_path):
    model, expected = prepared
    loaded, _ = support.exported(model, tmp_path, compression)
    support.assert_same(loaded.serve(BATCH), expected)
    named = loaded.signatures["serving_default"](**BATCH)
    support.assert_same(named["output_0"], expected)


@one_keras("tf_keras")
def test_nested_and_sequential_models(keras, tmp_path):
    """`loaders_test` loads such a model in another process."""
    model = support.text_model(keras)
    assert tf_rigl.profile(model).macs == 4 * 8 * 64 // 2
    support.exported_alike(model, tmp_path, tf.constant(support.TEXTS))


@one_keras("tf_keras")
def test_vocabularies_are_in_the_way_of_nothing(keras, tmp_path):
    """Models with vocabularies can be trained, checkpointed and saved."""
    models = []
    for _ in range(2):
        model = support.text_model(keras)
        model.compile("sgd", "mse")
        models.append(model)
    model, other = models
    data = (tf.constant(support.TEXTS), np.ones((3, 64), "float32"))
    checkpoints = tf_rigl.Checkpoints(tmp_path / "checkpoints", total_steps=2)
    static = tf_rigl.UpdateMasks(tf_rigl.Static())
    callbacks = [static, checkpoints]
    model.fit(*data, epochs=2, batch_size=3, verbose=0, callbacks=callbacks)
    assert checkpoints.restore(other) == 2
    support.assert_same(other(data[0]), model(data[0]))

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(data[0]), model(data[0]))
    if keras.__name__ == "tf_keras":
        with pytest.raises(NotImplementedError, match="not supported in h5"):
            model.save(tmp_path / "model.h5")


@one_keras("keras")
@pytest.mark.parametrize("kind", ["static", "mutable", "list"])
def test_tables_of_ones_own_layer(keras, kind, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((1,), dtype="string"),
            make_table_layer(keras, kind),
            keras.layers.Dense(32),
        ]
    )
    tf_rigl.sparsify(model, 0.5)
    loaded, _ = support.exported(model, tmp_path)
    outputs = loaded.serve(BATCH["word"])
    support.assert_same(outputs, support.infer(model, BATCH["word"]))
    assert not np.allclose(outputs[0], outputs[1])


@one_keras("tf_keras")
@pytest.mark.parametrize("kind", ["ragged", "sparse"])
def test_inputs_that_are_not_dense(keras, kind, tmp_path):
    """A signature takes their component tensors, like that of tf_keras."""
    layers = keras.layers
    if kind == "sparse":
        inputs = keras.Input((9,), sparse=True)
        hidden = layers.Dense(32)(inputs)
        batch = tf.sparse.from_dense(tf.eye(9)[:2])
    elif keras.__name__ == "keras":
        pytest.skip("layers of Keras 3 take no ragged tensors")
    else:
        inputs = keras.Input((None,), dtype="int32", ragged=True)
        mean = layers.Lambda(lambda rows: tf.reduce_mean(rows, 1))
        hidden = mean(layers.Embedding(9, 16)(inputs))
        batch = tf.ragged.constant([[1], [2, 3]])
    # Of a size beside which the embeddings are no large weights.
    model = keras.Model(inputs, layers.Dense(128)(hidden))
    tf_rigl.sparsify(model, 0.5)

    loaded, _ = support.exported(model, tmp_path)
    expected = model(batch, training=False)
    np.testing.assert_allclose(loaded.serve(batch), expected, atol=1e-6)
    signature = loaded.signatures["serving_default"]
    names = sorted(signature.structured_input_signature[1])
    parts = tf.nest.flatten(batch, expand_composites=True)
    (outputs,) = signature(**dict(zip(names, parts, strict=True))).values()
    np.testing.assert_allclose(outputs, expected, atol=1e-6)

    # A batch of them says the same.
    again = support.exported(model, tmp_path / "given", inputs=batch)[0]
    np.testing.assert_allclose(again.serve(batch), expected, atol=1e-6)
    with pytest.raises(ValueError, match="LiteRT files take dense tensors"):
        tf_rigl.export_litert(model, tmp_path / "model.tflite")


def make_table_layer(keras, kind):
    class Table(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            keys = tf.constant(COLORS)
            values = tf.constant([1, 2, 3], tf.int64)
            if kind == "mutable":
                self.tables = tf.lookup.experimental.MutableHashTable(
                    tf.string, tf.int64, 0
                )
                self.tables.insert(keys, values)
                return
            content = tf.lookup.KeyValueTensorInitializer(keys, values)
            table = tf.lookup.StaticHashTable(content, 0)
            self.tables = [table] if kind == "list" else table

        def call(self, inputs):
            table = self.tables[0] if kind == "list" else self.tables
            found = table.lookup(tf.reshape(inputs, [-1]))
            return tf.one_hot(tf.ensure_shape(found, [None]), 4)

        def compute_output_shape(self, shape):
            return shape[0], 4

    return Table()
