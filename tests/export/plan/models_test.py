"""Models of every kind become networks."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import zoo
from tests.export.plan import support
from tests.support import keras_in_turn
from tests.support import one_keras
from tf_rigl.export.plan import read

KINDS = [
    "sequential",
    "shared_layer",
    "nested",
    "subclassed",
    "functional_subclass",
    "time_distributed",
    "transformer",
    "recurrent",
]


@keras_in_turn("kind", KINDS, lambda kind: kind in ("sequential", "nested"))
def test_kind_of_model(keras, kind):
    model = zoo.build(kind, keras)
    inputs = support.batch(*zoo.INPUT_SHAPES[kind])
    model(inputs)
    support.randomize(model)
    support.assert_alike(model, inputs)


@pytest.mark.parametrize("keras", ["tf_keras"], indirect=True)
def test_layer_of_tensorflow_functions(keras):
    """Keras 3 does not call TensorFlow's on symbolic tensors."""
    model = support.randomize(zoo.build("custom_layer", keras))
    support.assert_alike(model, support.batch(20))


def test_layer_of_keras_functions(keras3):
    class Scaled(keras3.layers.Dense):
        def call(self, inputs):
            outputs = keras3.ops.matmul(inputs, self.kernel) + self.bias
            return keras3.ops.relu(outputs) * 2

    model = keras3.Sequential([keras3.Input((6,)), Scaled(4), Scaled(3)])
    support.randomize(model)
    graph = support.assert_alike(model, support.batch(6))
    # The scale of the first is folded into the second.
    assert support.kinds(graph) == ["dense", "dense", "affine"]


@keras_in_turn(
    "storage", ["masked", "compressed"], lambda storage: storage == "masked"
)
def test_sparse_model(keras, storage):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(12, 3, name="first"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(9, name="last"),
        ]
    )
    tf_rigl.sparsify(model, 0.8, storage=storage)
    masks = tf_rigl.masks(model)
    graph = support.assert_alike(model, support.batch(8, 8, 3))
    for one, mask in zip(
        (graph.operations[0], graph.operations[-1]),
        masks.values(),
        strict=True,
    ):
        assert ((one.arrays["kernel"] != 0) == mask).all()
    # It is as it was, to train further.
    assert list(tf_rigl.masks(model)) == list(masks)
    support.assert_alike(tf_rigl.strip(model), support.batch(8, 8, 3))


@pytest.mark.slow
@one_keras("keras")
def test_factorized_model(keras):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(16, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
        ]
    )
    model = tf_rigl.factorize(model, ranks=2)
    graph = support.assert_alike(model, support.batch(8, 8, 3))
    assert len([one for one in graph.operations if one.arrays]) == 4
    assert len(tf_rigl.ranks(model).rows) == 2


@pytest.mark.slow
@one_keras("keras")
def test_shrunk_model(keras):
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    hidden = layers.Conv2D(12, 3, activation="relu")(inputs)
    hidden = layers.Conv2D(12, 3, activation="relu")(hidden)
    outputs = layers.Dense(3)(layers.GlobalAveragePooling2D()(hidden))
    model = keras.Model(inputs, outputs)
    tf_rigl.sparsify(model, 0.97, "uniform")
    shrunk, _ = tf_rigl.shrink(model)
    support.assert_alike(shrunk, support.batch(8, 8, 3))


@one_keras("tf_keras")
def test_several_inputs_and_outputs(keras):
    layers = keras.layers
    first = keras.Input((6,), name="first")
    second = keras.Input((4,), name="second")
    joined = layers.Concatenate()([second, first])
    outputs = {"b": layers.Dense(3)(joined), "a": layers.Dense(2)(first)}
    model = keras.Model([first, second], outputs)
    graph = support.assert_alike(model, support.batch(6), support.batch(4))
    assert graph.input_names == ("first", "second")
    assert graph.output_names == ("a", "b")


@one_keras("keras")
def test_nested_model_is_called_twice(keras):
    layers = keras.layers
    inner = keras.Sequential(
        [layers.Dense(6, activation="relu"), layers.Dense(6)]
    )
    inputs = keras.Input((6,))
    outputs = inner(inner(inputs))
    model = support.randomize(keras.Model(inputs, outputs))
    graph = support.assert_alike(model, support.batch(6))
    assert len(graph.operations) == 4
    assert graph.operations[0].name.startswith(f"{inner.name}/")


@keras_in_turn("size", [8, 11], lambda size: size == 8)
def test_open_size_is_given(keras, size):
    """Shapes follow the given size, also where Keras does not know them."""
    layers = keras.layers
    inner = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Conv2D(4, 3, 2, padding="same"),
        ]
    )
    inputs = keras.Input((None, None, 3))
    hidden = layers.MaxPooling2D(2)(inner(inputs))
    outputs = layers.Dense(3)(layers.GlobalAveragePooling2D()(hidden))
    model = keras.Model(inputs, outputs)
    with pytest.raises(ValueError, match=r"one size.*None, None, 3"):
        read.graph_of(model)

    graph = read.graph_of(model, (None, size, size, 3))
    images = support.batch(size, size, 3)
    support.assert_computes(graph, [images], support.expected_of(model, images))


def branching(keras, of_keras3):
    """A subclassed model with code of its own between layers."""

    class Branching(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = keras.layers.Conv2D(6, 3, activation="relu")
            self.blocks = [keras.layers.Conv2D(6, 1) for _ in range(2)]
            self.drop = keras.layers.Dropout(0.5)
            self.head = keras.layers.Dense(3)

        def call(self, inputs, training=None):
            hidden = self.first(inputs)
            for block in self.blocks:
                hidden = hidden + 0.5 * block(hidden)
            hidden = self.drop(hidden, training=training)
            if of_keras3:
                import keras as keras3

                return self.head(keras3.ops.mean(hidden, (1, 2)))
            return self.head(tf.reduce_mean(hidden, (1, 2)))

    return Branching()


@keras_in_turn("batch", [None])
def test_code_of_a_subclassed_model(keras, batch):
    del batch
    model = branching(keras, keras.__name__ == "keras")
    images = support.batch(8, 8, 3)
    model(images)
    support.randomize(model)
    nodes = len(model.first._inbound_nodes)
    graph = support.assert_alike(model, images)
    assert support.kinds(graph)[-2:] == ["global_pool", "dense"]
    # The symbolic call is forgotten.
    assert len(model.first._inbound_nodes) == nodes


@keras_in_turn("batch", [None])
def test_lambda(keras, batch):
    del batch
    inputs = keras.Input((6,))
    hidden = keras.layers.Lambda(lambda x: 2.0 * x + 1.0)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(hidden))
    support.assert_alike(model, support.batch(6))


@one_keras("keras")
def test_integer_images(keras):
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    hidden = keras.layers.Rescaling(1 / 255)(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(3, 3)(hidden))
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    support.assert_alike(model, images)


def patch_encoder(keras, patch_size, count, units):
    """Code that asks for the size of the batch, as many transformers do."""
    layers, ops = keras.layers, keras.ops

    class Patches(layers.Layer):
        def call(self, images):
            batch, height, width, channels = ops.shape(images)
            patches = ops.image.extract_patches(images, patch_size)
            count = (height // patch_size) * (width // patch_size)
            size = patch_size * patch_size * channels
            return ops.reshape(patches, (batch, count, size))

    class Encoder(layers.Layer):
        def __init__(self):
            super().__init__()
            self.project = layers.Dense(units)
            self.positions = layers.Embedding(count, units)

        def call(self, patches):
            positions = ops.expand_dims(ops.arange(count), 0)
            return self.project(patches) + self.positions(positions)

    class ClassToken(layers.Layer):
        def build(self, shape):
            self.token = self.add_weight(shape=(1, 1, shape[-1]), name="gamma")

        def call(self, tokens):
            shape = (ops.shape(tokens)[0], 1, units)
            token = ops.broadcast_to(self.token, shape)
            return ops.concatenate([token, tokens], axis=1)

    return keras.Sequential([Patches(), Encoder(), ClassToken()])


def test_code_that_asks_for_the_batch(keras3):
    inputs = keras3.Input((12, 8, 3))
    tokens = patch_encoder(keras3, 4, 6, 16)(inputs)
    model = support.randomize(keras3.Model(inputs, tokens[:, 0] + tokens[:, 3]))
    graph = support.assert_alike(model, support.batch(12, 8, 3, examples=3))
    assert "slice" in support.kinds(graph)
    support.assert_alike(
        support.randomize(keras3.Model(inputs, tokens)), support.batch(12, 8, 3)
    )


@pytest.mark.parametrize("keras", ["tf_keras"], indirect=True)
def test_patches_by_tensorflow(keras):
    inputs = keras.Input((9, 8, 3))
    patches = tf.image.extract_patches(
        inputs, (1, 2, 3, 1), (1, 2, 2, 1), (1, 1, 1, 1), "SAME"
    )
    support.assert_alike(keras.Model(inputs, patches), support.batch(9, 8, 3))
