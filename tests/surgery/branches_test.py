"""Branches of sums that are constant go with all of their layers."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support as training
from tests.surgery import support
from tests.surgery.selection_test import convolved
from tests.surgery.selection_test import kill
from tests.surgery.selection_test import normalized
from tests.surgery.shrink_test import close
from tests.surgery.shrink_test import shrink_alike
from tf_rigl.surgery.shrink import shrink

# Stem and classifier, with 3·9·8 + 32 and 8·5 + 5 weights.
ENDS = 248 + 45


def residual(keras, add, kinds="ab"):
    """Blocks of 9·8·8 + 32 + 9·8·8 + 32 = 1,216 weights behind a stem."""
    inputs = keras.Input((6, 6, 3))
    stream = normalized(keras, convolved(keras, inputs, 8, 3, "stem"), "norm")
    for kind in kinds:
        hidden = convolved(keras, stream, 8, 3, f"{kind}_1")
        hidden = normalized(keras, hidden, f"{kind}_norm_1")
        hidden = convolved(keras, hidden, 8, 3, f"{kind}_2")
        layer = keras.layers.BatchNormalization(name=f"{kind}_norm_2")
        hidden = layer(hidden)
        stream = keras.layers.ReLU()(add([stream, hidden]))
    pooled = keras.layers.GlobalAveragePooling2D()(stream)
    outputs = keras.layers.Dense(5, name="out")(pooled)
    model = keras.Model(inputs, outputs)
    support.randomize(model)
    return model


def test_added_losses_and_metrics_stay():
    """Those of tf_keras are layers that no output reads."""
    keras = training.fresh_keras("tf_keras")
    model = residual(keras, keras.layers.Add())
    kill(model, {"a_norm_2": range(8)})
    for name in ("a_norm_2", "b_1"):
        model.add_loss(tf.reduce_mean(tf.square(model.get_layer(name).output)))
    mean = tf.reduce_mean(model.get_layer("b_2").output)
    model.add_metric(mean, name="mean")
    model.compile("sgd", "mse")
    small, _ = shrink(model, compiled=True)
    inputs, labels = support.example(model), np.ones((3, 5), "float32")
    before, after = (
        one.evaluate(inputs, labels, verbose=0) for one in (model, small)
    )
    assert len(before) == 2
    np.testing.assert_allclose(after, before, rtol=1e-5)
    without = tf_rigl.shrink(residual(keras, keras.layers.Add())).model
    assert len(without.losses) == 0 < len(small.losses)


def test_a_constant_branch_along_another_axis(keras):
    """Constants of the last axis are not those of the operand's channels."""
    layers = keras.layers
    inputs = keras.Input((6, 3))
    first = layers.Permute((2, 1))(layers.Dense(2, name="a")(inputs))
    hidden = layers.Dense(5, "relu", name="b")(first)
    hidden = layers.Dense(6, name="c")(hidden)
    hidden = layers.Permute((2, 1))(layers.Add()([first, hidden]))
    model = keras.Model(inputs, layers.Dense(2, name="out")(hidden))
    support.randomize(model)
    support.erase(model.get_layer("c"), range(6), "units")
    _, report = shrink_alike(model)
    assert gone(report) == []
    assert rest(report, "b").units_left == 1


def with_masks(keras, kind):
    """Time steps without a word are left out by what comes behind."""
    layers = keras.layers
    inputs = keras.Input((5,), dtype="int32")
    words = layers.Embedding(9, 4, mask_zero=True)(inputs)
    if kind == "constant":
        branch = layers.Dense(4, name="a")
    elif kind == "unmasked":
        branch = layers.Conv1D(4, 3, padding="same", use_bias=False, name="a")
    else:
        branch = layers.BatchNormalization(name="a")
    hidden = [words, branch(words)]
    if kind == "selected":
        hidden = [layers.LSTM(3)(one) for one in hidden]
        hidden = layers.Concatenate()(hidden)
    else:
        hidden = layers.LSTM(3)(layers.Add()(hidden))
    model = keras.Model(inputs, layers.Dense(2, name="out")(hidden))
    support.randomize(model)
    if kind == "selected":
        kill(model, {"a": [0, 2]})
    else:
        support.erase(model.get_layer("a"), range(4), "units")
    return model


@training.keras_in_turn("kind", ["constant", "unmasked", "selected"])
@pytest.mark.filterwarnings("ignore:Layer .* does not support masking")
@pytest.mark.filterwarnings("ignore:Layer .* passed an input with a mask")
def test_masks_of_time_steps_stay(keras, kind):
    model = with_masks(keras, kind)
    words = np.array([[3, 0, 2, 0, 0], [1, 2, 0, 3, 0]])
    expected = support.outputs_of(model, words)
    small, report = shrink(model)
    close(support.outputs_of(small, words), expected)
    assert gone(report) == []


def gone(report):
    return [row.path for row in report.rows if row.gone]


def rest(report, name):
    (row,) = (row for row in report.rows if row.path == name)
    return row


def test_zero_branch(keras):
    def add(tensors):
        return keras.layers.Add()(tensors)

    model = residual(keras, add)
    kill(model, {"b_norm_2": range(8)})
    small, report = shrink_alike(model, 1e-5)
    assert report.weights == ENDS + 2 * 1216
    assert report.weights_left == small.count_params() == ENDS + 1216
    assert gone(report) == ["b_1", "b_norm_1", "b_2", "b_norm_2"]
    row = rest(report, "b_2")
    assert (row.units, row.units_left, row.weights_left) == (8, 0, 0)
    assert "Gone:\n- b_1: its branch adds a constant\n" in str(report)
    names = {layer.name for layer in small.layers}
    assert names < {layer.name for layer in model.layers}
    # One stem, two convolutions, and the sum of one block.
    kinds = [type(layer).__name__ for layer in small.layers]
    assert (kinds.count("Conv2D"), kinds.count("Add")) == (3, 1)


def test_operators_and_constants(keras, tmp_path):
    """`+`, and branches that add other constants than 0."""
    model = residual(keras, sum_by_operator)
    for name in ("a_norm_2", "b_norm_2"):
        layer = model.get_layer(name)
        layer.gamma.assign(np.zeros(8))
    kill(model, {"a_norm_2": range(8)})
    # Before a pooling, which passes constants on, one of them is not read.
    dense = model.get_layer("out")
    support.erase(dense, [3], "inputs")

    small, report = shrink_alike(model, 1e-5)
    assert (
        report.weights_left
        == small.count_params()
        == (3 * 9 * 7 + 28 + 7 * 5 + 5)
    )
    path = str(tmp_path / "small.keras")
    small.save(path)
    loaded = keras.models.load_model(path)
    inputs = support.example(model)
    np.testing.assert_array_equal(
        support.outputs_of(loaded, inputs), support.outputs_of(small, inputs)
    )
    small.compile("sgd", "mse")
    small.train_on_batch(inputs, np.zeros((3, 5)))


def sum_by_operator(tensors):
    first, second = tensors
    return first + second


@training.one_keras("keras")
def test_sums_of_three_and_sums_that_are_outputs(keras):
    layers = keras.layers
    inputs = keras.Input((6,))
    branches = [
        layers.BatchNormalization(name=f"norm_{name}")(
            layers.Dense(4, name=name)(inputs)
        )
        for name in "abc"
    ]
    total = layers.Add(name="total")(branches)
    last = layers.Add(name="last")([branches[0], branches[1]])
    model = keras.Model(inputs, [layers.Dense(3)(total), last])
    support.randomize(model)
    kill(model, {"norm_c": range(4)})
    small, report = shrink_alike(model, 1e-5)
    assert gone(report) == ["c", "norm_c"]
    assert len(small.get_layer("total").input) == 2

    kill(model, {"norm_b": range(4)})
    small, report = shrink_alike(model, 1e-5)
    assert set(gone(report)) == {"b", "norm_b", "c", "norm_c"}
    assert small.output_names == model.output_names
    assert type(small.get_layer("last")).__name__ == "Activation"


@training.one_keras("tf_keras")
def test_blocks_of_their_own(keras):
    """A block that is called twice loses its branch, an unknown one none.

    What is not known is called in another way as well.
    """
    layers = keras.layers

    def block(name):
        within = keras.Input((6,))
        hidden = layers.Dense(6, name=f"{name}_dense")(within)
        hidden = layers.BatchNormalization(name=f"{name}_norm")(hidden)
        summed = layers.Add()([within, hidden])
        model = keras.Model(within, layers.Dense(6)(summed), name=name)
        return model

    twice, unknown = block("twice"), block("unknown")
    inputs = keras.Input((6,))
    hidden = unknown(twice(twice(inputs)))
    outputs = [hidden, unknown(inputs, training=True)]
    model = keras.Model(inputs, outputs)
    support.randomize(model)
    kill(
        model, {"twice/twice_norm": range(6), "unknown/unknown_norm": range(6)}
    )
    small, report = shrink(model)
    inputs = support.example(model)
    np.testing.assert_allclose(small(inputs)[0], model(inputs)[0], atol=1e-5)
    assert gone(report) == ["twice/twice_dense", "twice/twice_norm"]


@training.one_keras("keras")
def test_inputs_of_branches_that_go_stay(keras):
    """All inputs stay, and layers that only the branch kept are cut."""
    layers = keras.layers
    first, second = keras.Input((4,)), keras.Input((5,))
    hidden = layers.Dense(6, name="a")(first)
    extra = layers.LayerNormalization()(layers.Dense(6, name="b")(second))
    extra = layers.LayerNormalization(name="mixing")(
        layers.Add()([extra, hidden])
    )
    extra = layers.BatchNormalization(name="norm")(extra)
    summed = layers.Add()([hidden, extra])
    model = keras.Model([first, second], layers.Dense(3, name="out")(summed))
    support.randomize(model)
    kill(model, {"norm": range(6)})
    support.erase(model.get_layer("out"), [0, 1], "inputs")
    small, _ = shrink_alike(model, 1e-5)
    assert [one.shape[-1] for one in small.inputs] == [4, 5]
    # `mixing` would keep all units of `a`.
    assert small.count_params() == 5 * 4 + 4 * 3 + 3
