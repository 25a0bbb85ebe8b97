"""Heads of keys and values that several queries share, of Keras 3."""

import keras
import numpy as np
import pytest

import tf_rigl
from tests.surgery import support
from tf_rigl.surgery.shrink import shrink

pytestmark = pytest.mark.skipif(
    not hasattr(keras.layers, "GroupQueryAttention"), reason="an older Keras"
)


def make(bias=True):
    """Six heads of queries on three of keys and values, and a sum."""
    layers = keras.layers
    inputs = keras.Input((5, 4))
    first = layers.Dense(8, name="a")(inputs)
    second = layers.Dense(8, name="b")(inputs)
    hidden = layers.GroupQueryAttention(2, 6, 3, use_bias=bias, name="heads")(
        first, second, use_causal_mask=True
    )
    hidden = layers.Add(name="sum")([first, hidden])
    model = keras.Model(inputs, layers.Dense(3, name="out")(hidden))
    support.randomize(model)
    return model


def part(model, name):
    return getattr(model.get_layer("heads"), f"_{name}_dense")


def silence(variable, index):
    values = np.array(variable)
    values[index] = 0
    variable.assign(values)


@pytest.mark.parametrize("bias", [True, False])
def test_a_head_goes_with_all_of_its_queries(bias):
    model = make(bias)
    # Nothing reads the queries of head 1, and one of those of head 0.
    silence(part(model, "output").kernel, [0, 2, 3])
    # No head reads feature 2 of keys and values, and 3 of any stream, which
    # the sum does not need either.
    for name in ("key", "value"):
        silence(part(model, name).kernel, [2, 3])
    silence(part(model, "query").kernel, 3)
    silence(model.get_layer("out").kernel, 3)
    inputs = support.example(model)
    expected = support.outputs_of(model, inputs)
    small, report = shrink(model)
    left = {row.path: row.units_left for row in report.rows}
    assert left["b"] == left["a"] == 7
    layer = small.get_layer("heads")
    assert (layer.num_query_heads, layer.num_key_value_heads) == (4, 2)
    np.testing.assert_allclose(
        support.outputs_of(small, inputs), expected, atol=1e-5
    )


def test_channels_are_pruned(tmp_path):
    """Features of the sum and heads; outputs are those of the masked model."""
    model = make()
    small, report = tf_rigl.prune_channels(model, 0.4)
    layer = small.get_layer("heads")
    assert (layer.num_query_heads, layer.num_key_value_heads) == (4, 2)
    assert small.get_layer("a").units == 8 - 3
    assert small.get_layer("b").units == 8 - 3
    gone = ~report.masks["a"]
    output = part(model, "output")
    for layer in (model.get_layer("a"), model.get_layer("b"), output):
        silence(layer.kernel, (..., gone))
        silence(layer.bias, gone)
    before, left = (np.array(part(one, "query").bias) for one in (model, small))
    silence(output.kernel, [not (left == one).all(1).any() for one in before])
    inputs = support.example(model)
    found = support.outputs_of(small, inputs)
    np.testing.assert_allclose(
        found, support.outputs_of(model, inputs), atol=1e-5
    )
    small.save(tmp_path / "small.keras")
    loaded = keras.models.load_model(tmp_path / "small.keras")
    np.testing.assert_array_equal(support.outputs_of(loaded, inputs), found)
