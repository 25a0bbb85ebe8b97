"""Layers of one's own that act like one that `shrink` follows."""

import numpy as np
import pytest

import tf_rigl
from tests.surgery import support


def classes(keras):
    """A subclass of Dense and a layer that shares no code with PReLU."""

    class Doubled(keras.layers.Dense):
        def call(self, inputs):
            return 2 * super().call(inputs)

    class Slopes(keras.layers.Layer):
        shared_axes = None

        def build(self, input_shape):
            self.alpha = self.add_weight(
                name="alpha", shape=(input_shape[-1],), initializer="ones"
            )

        def call(self, inputs):
            return inputs * self.alpha

    return Doubled, Slopes


def model_of(keras, dense, slopes):
    model = support.chain(
        keras,
        (4,),
        dense(6, "relu", name="a"),
        slopes(),
        keras.layers.Dense(5, name="b"),
        keras.layers.Dense(2, name="out"),
    )
    support.randomize(model)
    support.erase(model.get_layer("a"), [1], "units")
    support.erase(model.get_layer("b"), [2], "inputs")
    return model


def units_left(report):
    return {row.path: row.units_left for row in report.rows if row.units}


def test_own_classes(keras):
    dense, slopes = classes(keras)
    model = model_of(keras, dense, slopes)
    before = units_left(tf_rigl.shrink(model).report)
    assert "a" not in before

    assert tf_rigl.channel_rule(dense, like="Dense") is dense
    decorate = tf_rigl.channel_rule(like=keras.layers.PReLU)
    assert decorate(slopes) is slopes
    small, report = tf_rigl.shrink(model)
    assert units_left(report) == {"a": 4, "b": 5, "out": 2}
    inputs = support.example(model)
    np.testing.assert_allclose(small(inputs), model(inputs), atol=1e-5)

    # A class that has a rule by then serves as well; a subclass has none.
    class Further(dense):
        pass

    model = model_of(keras, Further, keras.layers.PReLU)
    assert "a" not in units_left(tf_rigl.shrink(model).report)
    tf_rigl.channel_rule(Further, like=dense)
    assert units_left(tf_rigl.shrink(model).report)["a"] == 4


def test_a_class_that_is_not_like_that(keras):
    """Its channels stay: it has no kernel, or its configuration no units."""
    dense, slopes = classes(keras)

    class Fixed(dense):
        def __init__(self, width, *args, **kwargs):
            super().__init__(width, *args, **kwargs)

        def get_config(self):
            config = super().get_config()
            config["width"] = config.pop("units")
            return config

    tf_rigl.channel_rule(Fixed, like=keras.layers.Dense)
    tf_rigl.channel_rule(slopes, like="Conv2D")
    model = model_of(keras, Fixed, slopes)
    small, report = tf_rigl.shrink(model)
    kept = {row.path: row.kept for row in report.rows}
    assert "it is not like Dense: 'output_shape'" in kept["a"][0]
    assert "it is not like Conv2D: " in kept["slopes"][0]
    inputs = support.example(model)
    np.testing.assert_allclose(small(inputs), model(inputs), atol=1e-6)


def test_errors(keras):
    dense, _ = classes(keras)
    with pytest.raises(ValueError, match=r"like='Dens'\. Use one of Act"):
        tf_rigl.channel_rule(dense, like="Dens")
    with pytest.raises(ValueError, match="whose channels `shrink` follows"):
        tf_rigl.channel_rule(dense, like=dense)
    with pytest.raises(TypeError, match=r"cls='Dense'\."):
        tf_rigl.channel_rule("Dense", like="Dense")
    with pytest.raises(TypeError, match="must be a layer class"):
        tf_rigl.channel_rule(keras.Model.__base__.__base__, like="Dense")
