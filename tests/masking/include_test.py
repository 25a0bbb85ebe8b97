"""Weights that no rule names, and parts that are sparse already."""

import pytest

import tf_rigl
from tests import support
from tf_rigl.masking.masked_weight import masked_weights


def own_layer(keras):
    """A layer whose weights nobody names, and a kernel of 3 × 3."""

    class Own(keras.layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(
                name="t", shape=(shape[-1], 30), initializer="glorot_uniform"
            )
            self.offset = self.add_weight(
                name="o", shape=(30,), initializer="zeros"
            )

        def call(self, inputs):
            return inputs @ self.table + self.offset

    return Own


@pytest.mark.parametrize(
    ("how", "keras"),
    support.in_turn(["layer", "layer_name", "path", "keras_name", "variable"]),
    indirect=["keras"],
)
def test_names_of_a_weight(keras, how):
    """Keras begins a variable's path with the name of the model."""
    layer = keras.layers.Embedding(50, 8, name="words")
    model = keras.Sequential([keras.Input((5,)), layer], name="model")
    (weight,) = layer.weights
    target = {
        "layer": layer,
        "layer_name": "words",
        "path": "words/embeddings",
        "keras_name": getattr(weight, "path", weight.name),
        "variable": weight,
    }[how]
    options = tf_rigl.SparsifyOptions(include=[target])
    tf_rigl.sparsify(model, 0.8, options=options)
    assert support.counts(model) == {"words/embeddings": 80}


@support.one_keras("keras")
def test_large_weights_that_stay_dense_are_told(keras):
    layers = [keras.Input((20,)), own_layer(keras)(name="own")]
    layers += [keras.layers.Dense(10), keras.layers.Dense(2)]
    with pytest.warns(
        UserWarning, match=r"'own/table': '65% .* only sparse if"
    ):
        model = tf_rigl.sparsify(keras.Sequential(layers), 0.5)
    assert "own/table" not in tf_rigl.masks(model)


def test_any_weight_is_included(keras, tmp_path):
    Own = keras.saving.register_keras_serializable("tests")(own_layer(keras))
    layers = [keras.Input((20,)), Own(name="own"), keras.layers.Dense(10)]
    options = tf_rigl.SparsifyOptions(include=["own/table"])
    model = tf_rigl.sparsify(keras.Sequential(layers), 0.8, options=options)
    masks = tf_rigl.masks(model)
    assert masks["own/table"].sum() < masks["own/table"].size / 3
    support.train(keras, model, tf_rigl.RigL(9, 2), 1)
    support.assert_masked(model)
    assert int(masked_weights(model)[0].counters.numpy()[1]) > 0

    masks = tf_rigl.masks(model)
    model.layers[0].trainable = False
    support.assert_same_masks(tf_rigl.masks(model), masks)
    model.layers[0].trainable = True

    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    support.assert_same_masks(tf_rigl.masks(loaded), tf_rigl.masks(model))


def test_a_sparse_part_keeps_its_masks(keras):
    part = tf_rigl.sparsify(support.make_mlp(keras, (24,)), 0.9)
    masks = list(tf_rigl.masks(part).values())
    head = keras.layers.Dense(8)
    model = keras.Sequential([keras.Input((20,)), part, head])
    tf_rigl.sparsify(model, 0.5)
    *of_part, of_head = tf_rigl.masks(model).values()
    support.assert_all_equal(of_part, masks)
    assert int(of_head.sum()) == 40
    support.train(keras, model, tf_rigl.RigL(9, 2), 1)
    support.assert_masked(model)
    with pytest.raises(ValueError, match="can be sparsified once"):
        tf_rigl.sparsify(model, 0.5)
