"""Channels are followed through operations and layers, in both Keras."""

import numpy as np
import tensorflow as tf

from tests import support as training
from tests.surgery import followed
from tests.surgery import support
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
    loaded = support.outputs_of(keras.models.load_model(path), inputs)
    np.testing.assert_array_equal(loaded, actual)


def barriers(keras):
    """Yields what keeps the channels that it reads, with the reason."""
    do = followed.functions(keras)
    wide = np.ones((1, 1, 6), "float32")
    yield lambda x: x * wide, "an array of the shape"
    yield lambda x: do.mean(x, -1, keepdims=True), "axis="
    yield lambda x: do.mean(x), "axis=None"
    yield lambda x: do.softmax(x, axis=-1), "mixes its channels"
    yield lambda x: x[:, :, :, ::2], "in steps of 2"
    yield lambda x: x[:, :, :, 0], "takes a single feature"
    yield lambda x: x[:, :, :, :, None], "makes a new last axis"
    yield lambda x: do.transpose(x, (0, 3, 1, 2)), "0, 3, 1, 2"
    yield lambda x: do.expand(x, -1), "axis=-1"
    yield lambda x: do.reshape(x, (-1, 4, 4, 3, 2)), "to (4, 4, 3, 2)"
    yield lambda x: do.reshape(x, (-1, 12)), "to (12,)"
    yield lambda x: do.cumsum(x, -1), "its channels are not known"
    if keras.__name__ == "tf_keras":
        size = "called on 2 tensors"
        yield lambda x: tf.reshape(x, (tf.shape(x)[0], -1, 6)), size


def test_barriers(keras):
    for make, reason in barriers(keras):
        inputs = keras.Input((4, 4, 2))
        hidden = keras.layers.Conv2D(6, 1, use_bias=False, name="a")(inputs)
        model = keras.Model(inputs, make(hidden))
        support.erase(model.get_layer("a"), [1], "units")
        example = support.example(model)
        small, report = shrink(model)
        (row,) = report.rows
        assert row.units_left == 6, reason
        assert any(reason in one for one in row.kept), row.kept
        np.testing.assert_array_equal(small(example), model(example))
