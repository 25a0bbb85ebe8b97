"""Smaller models: the same outputs from fewer units, in both Keras."""

import zipfile

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support as training
from tests import zoo
from tests.surgery import dead_units
from tests.surgery import support
from tf_rigl.surgery.shrink import shrink


def close(first, second, tolerance=2e-5):
    scale = np.abs(second).max()
    np.testing.assert_allclose(first / scale, second / scale, atol=tolerance)


def shrink_alike(model, tolerance=2e-5):
    """Shrinks a model and checks that the smaller one computes the same."""
    inputs = support.example(model)
    expected = support.outputs_of(model, inputs)
    small, report = shrink(model)
    close(support.outputs_of(small, inputs), expected, tolerance)
    # Outputs of nothing but constants, or of inputs that matter.
    assert np.abs(expected).max() > 1e-3
    return small, report


def units_left(report):
    return {row.path: row.units_left for row in report.rows if row.units}


def weights_of(model):
    return [np.asarray(weight) for weight in model.get_weights()]


@training.keras_in_turn("name", dead_units.CASES)
def test_dead_units_are_cut(keras, name):
    case = dead_units.CASES[name]
    model = support.make(case, keras)
    config, weights = model.get_config(), weights_of(model)
    small, report = shrink_alike(model)
    left = units_left(report)
    assert {path: left[path] for path in case.left} == case.left, str(report)
    assert small.count_params() == report.weights_left
    assert model.count_params() == report.weights

    # The given model is what it was.
    assert model.get_config() == config
    training.assert_all_equal(weights_of(model), weights)
    assert type(small) is type(model)
    assert [layer.name for layer in small.layers] == [
        layer.name for layer in model.layers
    ]


@pytest.mark.parametrize("name", ["padded", "nested"])
def test_one_call_cuts_all(keras, name):
    model = support.make(dead_units.CASES[name], keras)
    small, report = shrink(model)
    again, nothing = shrink(small)
    assert nothing.weights == nothing.weights_left == report.weights_left
    training.assert_all_equal(weights_of(again), weights_of(small))


def remove_one_by_one(kernels):
    """Units of each hidden layer when dead ones go one at a time."""
    alive = [np.ones(len(kernel), bool) for kernel in kernels]
    alive.append(np.ones(kernels[-1].shape[1], bool))
    removed = True
    while removed:
        removed = False
        for layer in range(1, len(kernels)):
            for unit in np.flatnonzero(alive[layer]):
                below = kernels[layer - 1][alive[layer - 1], unit]
                above = kernels[layer][unit, alive[layer + 1]]
                if not below.any() or not above.any():
                    alive[layer][unit] = False
                    removed = True
    return [int(units.sum()) for units in alive[1:-1]]


def test_random_masks_against_removal_one_by_one(keras):
    model = support.chain(
        keras,
        (9,),
        *(keras.layers.Dense(n, "relu") for n in (16, 16, 16)),
        keras.layers.Dense(4),
    )
    support.randomize(model)
    tf_rigl.sparsify(model, 0.85)

    _, report = shrink_alike(model)
    kernels = [one for one in weights_of(tf_rigl.strip(model)) if one.ndim == 2]
    left = remove_one_by_one(kernels)
    assert min(left) > 0
    assert [row.units_left for row in report.rows[:-1]] == left
    assert sum(left) < 40


def test_channel_pruning(keras):
    """Masks of whole units leave a network of half the width."""
    layers = keras.layers
    model = support.chain(
        keras,
        (8, 8, 3),
        layers.Conv2D(16, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Conv2D(12, 3, activity_regularizer="l2"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10),
    )
    support.randomize(model)
    tf_rigl.sparsify(
        model,
        0.5,
        tf_rigl.PerLayer(
            {layer: 0.5 for layer in model.layers if "conv" in layer.name},
            budget="reference",
        ),
        dense=[model.layers[-1]],
        structure=tf_rigl.Channel(),
    )

    losses = len(model.losses)
    _, report = shrink_alike(model)
    assert [row.units_left for row in report.rows] == [16 // 2, None, 6, 10]
    assert len(model.losses) == losses


def test_sparse_model_goes_on_and_the_small_one_is_plain(keras, tmp_path):
    model = tf_rigl.sparsify(zoo.nested(keras), 0.9)
    model.compile("adam", "mse")
    optimizer, masks = model.optimizer, tf_rigl.masks(model)
    small, _ = shrink_alike(model)
    assert model.optimizer is optimizer
    assert getattr(small, "optimizer", None) is None
    again, _ = shrink(model, compiled=True)
    assert again.get_compile_config() == model.get_compile_config()
    assert again.optimizer is not optimizer
    now = tf_rigl.masks(model)
    assert now.keys() == masks.keys()
    training.assert_same_masks(now, masks)
    assert tf_rigl.masks(small) == {}

    path = str(tmp_path / "small.keras")
    small.save(path)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert b"rigl" not in archive.read(name), name
    loaded = keras.models.load_model(path)
    inputs = support.example(model)
    np.testing.assert_array_equal(
        support.outputs_of(loaded, inputs), support.outputs_of(small, inputs)
    )
    small.compile("adam", "mse", run_eagerly=True)
    small.train_on_batch(inputs, np.zeros((3, 3)))


def test_unread_units_change_no_output_in_training_either(keras):
    """Constants do: batch statistics of theirs are others."""
    case = dead_units.CASES["without_bias"]._replace(
        silent={}, unread={"b": [0, 1], "out": [3]}
    )
    model = support.make(case, keras)
    inputs = support.example(model)
    small, report = shrink(model)
    assert units_left(report) == {"a": 4, "b": 4, "out": 3}
    trained = [np.asarray(m(inputs, training=True)) for m in (model, small)]
    close(*trained)


def test_mixed_precision(keras):
    layers = keras.layers
    model = support.chain(
        keras,
        (6,),
        layers.Dense(8, "relu", dtype="mixed_bfloat16", name="a"),
        layers.BatchNormalization(dtype="mixed_bfloat16"),
        layers.Dense(7, dtype="float64", name="b"),
        layers.Dense(3),
    )
    support.randomize(model)
    support.erase(model.get_layer("a"), [0, 1], "units")
    support.erase(model.get_layer("b"), [2], "units")

    small, report = shrink_alike(model, 1e-2)
    assert units_left(report) == {"a": 6, "b": 6, "dense": 3}
    assert [w.dtype for w in small.weights] == [w.dtype for w in model.weights]


def test_functional_model_of_a_class_of_its_own(keras):
    model = zoo.functional_subclass(keras)
    support.erase(model.layers[1], [0, 3], "units")
    small, report = shrink_alike(model)
    assert type(small) is type(model)
    assert report.units_left == report.units - 2


TABLE = """
layer  class   units  left  weights  left
-----------------------------------------
a      Conv2D      6     4      114    76
b      Conv2D      4     3      100    51
out    Dense       3     3       51    39
-----------------------------------------
total             13    10      265   166

Kept:
- a: constant, but b pads with zeros
- out: model output

Channels of masked kernels go with bias, γ, β and moving mean, so with
such constants, by `prune_channels(model, masks=tf_rigl.masks(model))`.
Outputs change then: train on."""


def test_report(keras):
    model = support.make(dead_units.CASES["padded"], keras)
    report = shrink(model).report
    assert str(report) == f"Model {model.name!r}\n{TABLE}"


def test_report_of_what_is_not_known():
    keras = training.fresh_keras("keras")
    model = support.make(dead_units.CASES["unknown"], keras)
    kept = {row.path: row.kept for row in shrink(model).report.rows}

    assert kept["a"] == (
        "read by layer_normalization (LayerNormalization): mixes its channels",
    )
    assert kept["b"] == ("constant, but attention takes up only zeros",)
    assert "activation softmax of d" in kept["d"]
    assert kept["e"] == (
        "read by batch_normalization (BatchNormalization): called with [True]",
    )
    assert kept["f"] == (
        "read by doubled (Doubled): its channels are not known",
    )
    assert "activation _twice of g" in kept["g"]


@training.keras_in_turn("pads", [True, False])
def test_reasons_of_layers_with_a_normalization_behind(keras, pads):
    """Where a selection might be put, and by a layer that pads."""
    layers = keras.layers
    inputs = keras.Input((6, 6, 3))
    hidden = layers.Conv2D(6, 3, name="a")(inputs)
    hidden = layers.BatchNormalization()(hidden)
    if pads:
        hidden = layers.ZeroPadding2D(name="pad")(hidden)
    padding = "valid" if pads else "same"
    hidden = layers.Conv2D(4, 3, padding=padding, name="b")(hidden)
    hidden = layers.GlobalAveragePooling2D()(hidden)
    model = keras.Model(inputs, layers.Dense(2, name="out")(hidden))
    support.randomize(model)
    support.erase(model.get_layer("a"), [0, 1], "units")
    _, report = shrink_alike(model)
    assert units_left(report) == {"a": 6, "b": 4, "out": 2}
    reader = "pad" if pads else "b"
    assert f"constant, but {reader} pads with zeros" in report.rows[0].kept
    assert "by `prune_channels(model, masks=tf_rigl.masks(model))`" in (
        str(report)
    )


def test_adapted_vocabularies(keras):
    layers = keras.layers
    words = layers.TextVectorization(9, output_mode="multi_hot")
    words.adapt(["a b c", "d e"])
    inputs = keras.Input((), dtype="string")
    hidden = layers.Dense(64, "relu")(words(inputs))
    model = keras.Model(inputs, layers.Dense(4)(hidden))
    tf_rigl.sparsify(model, 0.95)
    smaller, _ = shrink(model)
    assert smaller.count_params() < model.count_params()
    texts = tf.constant(["a b", "unseen"])
    np.testing.assert_allclose(smaller(texts), model(texts), atol=1e-6)


@training.one_keras("tf_keras")
def test_adapted_boundaries(keras):
    """Those of Keras 3 are part of the configuration."""
    layers = keras.layers
    bins = layers.Discretization(num_bins=3, output_mode="one_hot")
    bins.adapt(np.array([[1.0], [2.0], [9.0]]))
    inputs = keras.Input((1,))
    model = keras.Model(inputs, layers.Dense(4)(bins(inputs)))
    if keras.__name__ == "tf_keras":
        with pytest.raises(ValueError, match="Make that layer with `idf_wei"):
            shrink(model)
    else:
        smaller, _ = shrink(model)
        batch = tf.constant([[0.0], [5.0]])
        np.testing.assert_allclose(smaller(batch), model(batch), atol=1e-6)


def test_errors(keras):
    with pytest.raises(ValueError, match="subclassed model does not say"):
        shrink(zoo.subclassed(keras))
    for model in (
        zoo.sequential_unbuilt(keras),
        tf_rigl.sparsify(zoo.sequential_unbuilt(keras), 0.5),
    ):
        with pytest.raises(ValueError, match=r"must be built.*'sequential"):
            shrink(model)
    with pytest.raises(ValueError, match=r"compiled=True\. Leave"):
        shrink(zoo.sequential(keras), compiled=True)
    with pytest.raises(TypeError, match="must be a Keras model"):
        shrink(keras.layers.Dense(3))


@training.one_keras("tf_keras")
def test_quantized_layers_are_an_error(keras):
    if keras.__name__ == "keras":
        pytest.skip("TFMOT quantizes tf_keras models")
    model = support.chain(
        keras, (4,), keras.layers.Dense(6, name="a"), keras.layers.Dense(2)
    )
    model = tf_rigl.quantize_aware(model)
    for cut in (shrink, lambda one: tf_rigl.prune_channels(one, 0.5)):
        with pytest.raises(ValueError, match=r"quant_a'.*Cut the model first"):
            cut(model)
