"""Small Transformers of images and of text, as plans."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests.export.plan import support
from tests.support import keras_in_turn
from tf_rigl import native
from tf_rigl.backend import native_ops
from tf_rigl.export.plan import read
from tf_rigl.models import vision_transformer

STEPS, ROWS = 20, 50


def image_transformer(keras, sparsity=0.9):
    model = vision_transformer.vision_transformer(
        keras, (24, 24, 3), 10, patch_size=8, blocks=2, heads=2, head_units=16
    )
    return tf_rigl.sparsify(model, sparsity)


def text_transformer(keras, sparsity=0.9, dtype="int32"):
    """Reads tokens with a layer of its own for what each block computes."""
    layers = keras.layers

    class Block(layers.Layer):
        def __init__(self, units, **options):
            super().__init__(**options)
            self.norms = [layers.LayerNormalization() for _ in range(2)]
            self.attend = layers.MultiHeadAttention(4, units // 4, dropout=0.1)
            self.wide = layers.Dense(4 * units, activation="gelu")
            self.narrow = layers.Dense(units)

        def call(self, inputs):
            hidden = self.norms[0](inputs)
            hidden = inputs + self.attend(hidden, hidden, use_causal_mask=True)
            return hidden + self.narrow(self.wide(self.norms[1](hidden)))

    class Embedded(layers.Layer):
        def __init__(self, units, **options):
            super().__init__(**options)
            self.tokens = layers.Embedding(ROWS, units)
            self.positions = layers.Embedding(STEPS, units)

        def call(self, inputs):
            return self.tokens(inputs) + self.positions(np.arange(STEPS))

    tokens = keras.Input((STEPS,), dtype=dtype, name="tokens")
    hidden = Embedded(32, name="embedded")(tokens)
    for number in range(2):
        hidden = Block(32, name=f"block{number}")(hidden)
    hidden = layers.LayerNormalization(name="norm")(hidden)
    hidden = layers.GlobalAveragePooling1D()(hidden)
    model = keras.Model(tokens, layers.Dense(3, name="logits")(hidden))
    return tf_rigl.sparsify(model, sparsity)


def tokens_of(examples, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, ROWS, (examples, STEPS)).astype(np.int32)


@keras_in_turn("examples", [3])
def test_image_transformer(keras, examples):
    model = image_transformer(keras)
    images = support.batch(24, 24, 3, examples=examples)
    graph = support.assert_alike(model, images)
    assert support.kinds(graph).count("attention") == 2

    rows = {row.path: row for row in tf_rigl.check_plan(model).rows}
    assert rows["class_token"].how == rows["positions"].how == "constant"
    attention = rows["block0_attention"]
    assert (attention.runs, attention.how) == ("sparse", "product + attention")
    assert rows["block1_norm2"].how == "normalize"
    assert rows["block1_fc1"].runs == "sparse"


@keras_in_turn("dtype", ["int32", "float32"])
def test_text_transformer(keras, dtype, tmp_path):
    model = text_transformer(keras, dtype=dtype)
    tokens = tokens_of(3).astype(dtype)
    support.assert_alike(model, tokens)

    rows = {row.path: row for row in tf_rigl.check_plan(model).rows}
    assert rows["embedded/" + _last(rows, "embedded")].how == "embedding"
    report = tf_rigl.export_plan(model, tmp_path / "model.plan")
    if native.available():
        assert 0 < report.relative_error < support.TOLERANCE
        plan = native.Plan(tmp_path / "model.plan")
        assert plan.inputs[0].rows == ROWS
        for examples in (1, 5, 33):
            tokens = tokens_of(examples)
            expected = support.expected_of(model, tokens.astype(dtype))
            support.assert_close(plan(tokens), *expected)


def _last(rows, path):
    """The name of the embedding of tokens within a layer."""
    return next(
        key.rpartition("/")[2]
        for key, row in rows.items()
        if key.startswith(path) and row.layer == "Embedding"
    )


@pytest.mark.skipif(
    not native_ops.available(), reason="needs the native library"
)
@keras_in_turn("values", ["float32", "int8"], lambda values: values == "int8")
def test_saved_model_that_the_library_runs(keras, values, tmp_path):
    model = text_transformer(keras)
    path = str(tmp_path / "model")
    report = tf_rigl.export_saved_model(
        model, path, runtime="native", values=values
    )
    tokens = tokens_of(4)
    made = tf.saved_model.load(path).serve(tf.constant(tokens))
    (expected,) = support.expected_of(model, tokens)
    if values == "float32":
        support.assert_close(np.asarray(made), expected)
    else:
        assert np.abs(made - expected).max() < 0.1 * np.abs(expected).max()
        assert report.rows[0].error > 0
    with pytest.raises(tf.errors.OpError, match="from 0 to 49"):
        tf.saved_model.load(path).serve(tf.constant(tokens + 1000))


@keras_in_turn("storage", ["compressed", "plain"])
def test_storage(keras, storage):
    model = text_transformer(keras)
    tokens = tokens_of(2)
    if storage == "plain":
        model = tf_rigl.strip(model)
    else:
        inputs = keras.Input((9, 16))
        hidden = keras.layers.LayerNormalization()(inputs)
        hidden = keras.layers.MultiHeadAttention(2, 8)(hidden, inputs)
        model = keras.Model(inputs, keras.layers.Dense(8)(hidden))
        tf_rigl.sparsify(model, 0.9, storage=storage)
        tokens = support.batch(9, 16)
    support.assert_alike(model, tokens)
    assert read.graph_of(model).operations
