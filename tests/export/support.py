import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import zoo
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.export.saved_model.export import export_saved_model
from tf_rigl.masking.masked_weight import masked_weights


def sparse_model(keras, name="sequential", sparsity=0.8):
    """Builds a sparse model of the zoo with random weights and biases.

    No active weight and no bias is 0.
    """
    model = tf_rigl.sparsify(zoo.build(name, keras), sparsity)
    randomize(model)
    return model


# Inputs for `text_model`, with known words and with unknown ones.
TEXTS = ("a b", "C d, e", "unseen")


def text_model(keras):
    """Builds a sparse model of texts, nested in another, with a vocabulary."""
    layers = keras.layers
    words = layers.TextVectorization(30, output_sequence_length=4)
    words.adapt(["a b c", "d e"])
    embedding = layers.Embedding(30, 8)
    inner = keras.Sequential(
        [keras.Input((), dtype="string"), words, embedding, layers.Flatten()]
    )
    model = keras.Sequential(
        [keras.Input((), dtype="string"), inner, layers.Dense(64)]
    )
    return tf_rigl.sparsify(model, 0.5, dense=[embedding])


def randomize(model, seed=0):
    flavor = flavor_of(model)
    random = np.random.default_rng(seed)
    masks = {
        id(one.storage.variable): one.mask.numpy()
        for one in masked_weights(model)
    }
    for variable in model.variables:
        raw = flavor.raw(variable)
        if not raw.dtype.is_floating:
            continue
        # Variances are positive.
        values = random.uniform(0.1, 1, raw.shape)
        raw.assign(np.where(masks.get(id(raw), True), values, 0))


def batch(name="sequential", examples=4, seed=0):
    shape = (examples, *zoo.INPUT_SHAPES[name])
    values = np.random.default_rng(seed).normal(size=shape)
    return tf.constant(values, tf.float32)


def infer(model, inputs):
    """Computes the outputs of a model like an artifact.

    The graph takes batches of any size. If the size were known, TensorFlow
    might choose other kernels.
    """
    function = tf.function(lambda inputs: model(inputs, training=False))
    specification = tf.nest.map_structure(
        lambda one: tf.TensorSpec([None, *one.shape[1:]], one.dtype), inputs
    )
    return function.get_concrete_function(specification)(inputs)


def exported(model, folder, *arguments, **options):
    report = export_saved_model(model, folder / "model", *arguments, **options)
    return load(folder), report


def exported_alike(model, folder, examples, *arguments, **options):
    """Exports a model like `exported` and checks the outputs on examples."""
    loaded, report = exported(model, folder, *arguments, **options)
    assert_same(loaded.serve(examples), infer(model, examples))
    return loaded, report


def load(folder):
    return tf.saved_model.load(str(folder / "model"))


def weights_of(model):
    return [np.array(one) for one in model.get_weights()]


def build_pictures(*middle, first=None, end=True):
    layers = keras.layers
    images = keras.Input((64, 64, 3), name="images")
    features = images
    for layer in (*(first or picture_stem()), *middle):
        features = layer(features)
    if end:
        features = layers.GlobalAveragePooling2D()(features)
        features = layers.Dense(10, name="head")(features)
    return keras.Model(images, features)


def picture_stem():
    layers = keras.layers
    return [
        layers.ZeroPadding2D(1),
        layers.Conv2D(8, 3, 2, activation="relu", name="first"),
        layers.Conv2D(16, 1, activation="relu", name="second"),
    ]


def expect_slow(quantization):
    if quantization != "dynamic_int8":
        return contextlib.nullcontext()
    return pytest.warns(UserWarning, match="smaller and slower")


def assert_same(first, second):
    tf.nest.assert_same_structure(first, second)
    for one, other in zip(
        tf.nest.flatten(first), tf.nest.flatten(second), strict=True
    ):
        one, other = np.asarray(one), np.asarray(other)
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()


# Models in which TensorFlow may fuse operations in more than one way, and does
# so by the names of nodes: layer normalization, or one of two sums.
SEVERAL_FUSIONS = {"transformer", "subclassed"}


def assert_same_outputs(name, first, second):
    """Asserts that outputs are equal, bit for bit if kernels are the same."""
    if name in SEVERAL_FUSIONS:
        np.testing.assert_allclose(first, second, rtol=1e-5)
    else:
        assert_same(first, second)
