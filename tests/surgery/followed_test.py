"""Channels are followed through operations and layers, in both Keras."""

import numpy as np
import tensorflow as tf

from tests import support as training
from tests.surgery import followed
from tests.surgery import support
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.surgery import analysis
from tf_rigl.surgery import rebuild
from tf_rigl.surgery.shrink import shrink


@training.keras_in_turn("name", followed.CASES)
def test_dead_channels_are_cut(keras, name, tmp_path):
    case = followed.CASES[name]
    model = support.make(case, keras)
    inputs = support.example(model)
    expected = support.outputs_of(model, inputs)
    small, report = shrink(model)
    left = {row.path: row.units_left for row in report.rows}
    assert {path: left[path] for path in case.left} == case.left, str(report)

    scale = np.abs(expected).max()
    assert scale > 1e-3
    actual = support.outputs_of(small, inputs)
    np.testing.assert_allclose(actual / scale, expected / scale, atol=1e-5)

    path = str(tmp_path / "small.keras")
    small.save(path)
    known = followed.of_applications(keras)
    loaded = keras.models.load_model(path, custom_objects=known)
    loaded = support.outputs_of(loaded, inputs)
    np.testing.assert_array_equal(loaded, actual)


def barriers(keras):
    """Yields what keeps the channels that it reads, with the reason."""
    do = followed.functions(keras)
    wide = np.ones((1, 1, 6), "float32")
    yield lambda x: x * wide, "an array of the shape"
    yield lambda x: do.clip(x, -1, [0, 1, 2, 3, 4, 5]), "arguments are ["
    yield lambda x: do.mean(x, -1, keepdims=True), "axis="
    yield lambda x: do.mean(x), "axis=None"
    yield lambda x: do.softmax(x, axis=-1), "mixes its channels"
    yield lambda x: x[:, :, :, ::2], "in steps of 2"
    yield lambda x: x[:, :, :, 0], "takes a single feature"
    yield lambda x: x[:, :, :, :, None], "makes a new last axis"
    yield lambda x: do.transpose(x, (0, 1, 3, 2)), "0, 1, 3, 2"
    yield lambda x: do.expand(x, -1), "axis=-1"
    yield lambda x: do.reshape(x, (-1, 4, 4, 3, 2)), "to (4, 4, 3, 2)"
    yield lambda x: do.reshape(x, (-1, 12)), "to (12,)"
    yield lambda x: do.take(x, [[0, 1]], axis=-1), "more than a list"
    yield lambda x: do.take(x, [0, 1], axis=1), "axis=1"
    yield lambda x: do.cumsum(x, -1), "its channels are not known"
    if keras.__name__ == "tf_keras":
        size = "called on 2 tensors"
        yield lambda x: tf.reshape(x, (tf.shape(x)[0], -1, 6)), size


def barriers_of_layers(keras):
    layers = keras.layers
    first = {"data_format": "channels_first"}
    each = layers.TimeDistributed
    rows = layers.Reshape((16, 6))
    apart = layers.Bidirectional(layers.LSTM(2), merge_mode=None)
    yield layers.Softmax(), "mixes its channels"
    yield layers.GroupNormalization(2, axis=1), "along axis 1"
    yield layers.GroupNormalization(1), "mixes its channels"
    yield layers.BatchNormalization(axis=1), "along axis 1"
    yield layers.BatchNormalization(axis=2), "axis="
    yield layers.Conv2D(2, 1, **first), "along axis 1"
    yield layers.MaxPooling2D(**first), "along axis 1"
    yield layers.Flatten(**first), "data_format='channels_first'"
    yield layers.Rescaling([1.0, 2, 3, 4, 5, 6]), "for each channel"
    yield each(keras.Sequential([layers.ReLU()])), "wraps a model"
    yield each(layers.Softmax()), "wraps Softmax: mixes its channels"
    yield lambda x: apart(rows(x))[0], "does not merge its directions"


def test_barriers(keras):
    for make, reason in (*barriers(keras), *barriers_of_layers(keras)):
        inputs = keras.Input((4, 4, 2))
        hidden = keras.layers.Conv2D(6, 1, use_bias=False, name="a")(inputs)
        model = keras.Model(inputs, make(hidden))
        support.erase(model.get_layer("a"), [1], "units")
        example = support.example(model)
        small, report = shrink(model)
        row = report.rows[0]
        assert row.units_left == 6, reason
        assert any(reason in one for one in row.kept), row.kept
        np.testing.assert_allclose(small(example), model(example), atol=1e-6)


def test_heads_are_cut(keras):
    model = support.make(followed.CASES["heads"], keras)
    small = shrink(model).model
    config = small.get_layer("self").get_config()
    assert (config["num_heads"], config["key_dim"]) == (2, 3)
    assert small.get_layer("cross").get_config()["num_heads"] == 3


def cut_some(model, share=0.4, seed=0):
    """Cuts channels that may go, whatever they carry, ties and all."""
    plans = analysis.analyze(flavor_of(model), model, exact=False)
    roots = plans.graph.roots()
    random = np.random.default_rng(seed)
    stays = random.random(len(roots)) > share
    # As the graph has it: those that are kept, and one of each layer.
    groups = [group.channels for group in plans.graph._groups]
    for channels in (*plans.graph._kept, *groups):
        stays[roots[channels[:1]]] = True
    for channels in plans.graph._kept:
        stays[roots[channels]] = True
    plans.needed = stays[roots]
    return rebuild.rebuild(model, plans), plans


@training.keras_in_turn("name", followed.CASES)
def test_any_channels_can_be_cut(keras, name):
    """Axes and sizes fit together, also where nothing is dead."""
    model = followed.CASES[name].build(keras)
    small, _ = cut_some(model)
    assert small.count_params() < model.count_params()
    example = support.example(small)
    expected = support.outputs_of(model, example)
    assert support.outputs_of(small, example).shape == expected.shape


def test_layers_that_mix_channels_lose_some_of_them(keras):
    layers = keras.layers
    mixing = [
        layers.LayerNormalization(name="norm"),
        layers.LayerNormalization(axis=[2, 1]),
        layers.GroupNormalization(1),
        layers.UnitNormalization(),
    ]
    if keras.__name__ == "keras":
        mixing.append(layers.RMSNormalization())
    model = support.chain(
        keras,
        (4, 3),
        layers.Dense(8, name="a"),
        *mixing,
        layers.Dense(2, name="out"),
    )
    support.randomize(model)
    _, report = shrink(model)
    assert report.rows[0].units_left == 8

    small, plans = cut_some(model, seed=1)
    stays = plans.needed[plans.of[id(model.get_layer("a"))].outputs]
    assert 0 < stays.sum() < 8
    for name, axis in (("a", 1), ("norm", 0), ("out", 0)):
        before, after = (
            one.get_layer(name).get_weights()[0] for one in (model, small)
        )
        np.testing.assert_array_equal(after, np.compress(stays, before, axis))
    for layer in small.layers[1:-1]:
        for weight in layer.get_weights():
            assert stays.sum() in weight.shape


def test_pooling_of_channels(keras):
    """As the vision transformer of this package makes its positions."""
    inputs = keras.Input((4, 3))
    hidden = keras.layers.Dense(8, name="a")(inputs)
    pool = keras.layers.GlobalMaxPooling1D(data_format="channels_first")
    model = keras.Model(inputs, keras.layers.Dense(2)(pool(hidden)))
    (row, _) = shrink(model).report.rows
    assert "mixes its channels" in row.kept[0]
    small, _ = cut_some(model, seed=1)
    units = small.get_layer("a").units
    assert 0 < units < 8
    kernel = small.get_layer("a").get_weights()[0]
    assert kernel.shape == (3, units)
