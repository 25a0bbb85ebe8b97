"""Networks with channels first lose what twins with channels last lose.

Widths differ from numbers of filters, since Keras 3 takes equal ones for the
axis of a bias (`bias_axes`).
"""

import numpy as np
import pytest

import tf_rigl
from tests import support as training
from tests.surgery import followed
from tests.surgery import support
from tests.surgery.selection_test import kill
from tests.surgery.selection_test import selected
from tests.surgery.shrink_test import close
from tf_rigl.surgery.shrink import shrink


class Layout:
    """How layers are made so that channels are first, or last."""

    def __init__(self, keras, first):
        self.keras = keras
        self.first = first
        self.axis = 1 if first else -1
        self.spatial = (2, 3) if first else (1, 2)
        self.of = {"data_format": "channels_first" if first else None}

    def shape(self, *sizes):
        """Returns a shape, given with channels last."""
        return (sizes[-1], *sizes[:-1]) if self.first else sizes

    def normalization(self, name=None):
        return self.keras.layers.BatchNormalization(axis=self.axis, name=name)

    def moved(self, values):
        """Puts the last axis of a batch, or of a weight, where it belongs."""
        return np.moveaxis(values, -1, 1) if self.first else values


CASES = {}


def case(**dead):
    def decorate(build):
        CASES[build.__name__] = build, dead
        return build

    return decorate


@case(
    silent={"a": [0, 1], "b": [2], "late": [3]},
    zero={"a": [2], "wide": [1, 4]},
    unread={"squeeze": [5]},
)
def layers_of_images(keras, to):
    layers, of = keras.layers, to.of
    inputs = keras.Input(to.shape(12, 15, 3))
    a = layers.Conv2D(6, 3, 2, use_bias=False, name="a", **of)(inputs)
    axis = -3 if to.first else -1
    hidden = layers.BatchNormalization(axis=axis, name="norm")(a)
    hidden = layers.ReLU()(hidden)
    hidden = layers.DepthwiseConv2D(3, **of)(hidden)
    hidden = layers.Conv2D(6, 1, name="b", **of)(hidden)
    hidden = layers.LeakyReLU()(hidden)

    gate = layers.GlobalAveragePooling2D(**of)(hidden)
    gate = layers.Reshape(to.shape(1, 1, 6))(gate)
    gate = layers.Conv2D(4, 1, activation="relu", name="squeeze", **of)(gate)
    gate = layers.Conv2D(6, 1, activation="sigmoid", name="gate", **of)(gate)
    hidden = layers.Multiply()([hidden, gate])

    pooled = layers.MaxPooling2D(3, 1, **of)(a)
    hidden = layers.Concatenate(axis=to.axis)([hidden, pooled])
    hidden = layers.Cropping2D(**of)(layers.ZeroPadding2D(**of)(hidden))
    shared = [2, 3] if to.first else [1, 2]
    hidden = layers.PReLU(shared_axes=shared, name="slopes")(hidden)
    hidden = layers.Conv2DTranspose(7, 2, name="wide", **of)(hidden)
    hidden = layers.SpatialDropout2D(0.2, **of)(hidden)
    hidden = layers.UpSampling2D(**of)(hidden)
    hidden = layers.AveragePooling2D(2, 2, **of)(hidden)
    hidden = layers.SeparableConv2D(6, 2, name="late", **of)(hidden)
    hidden = layers.Rescaling(0.5)(layers.Activation("tanh")(hidden))
    hidden = layers.Flatten(**of)(hidden)
    return keras.Model(inputs, layers.Dense(3, name="out")(hidden))


@case(zero={"a": [0, 3], "b": [4, 5], "each": [1, 2]})
def groups(keras, to):
    layers, of = keras.layers, to.of
    inputs = keras.Input(to.shape(7, 9, 2))
    hidden = layers.Conv2D(6, 1, name="a", **of)(inputs)
    hidden = layers.Conv2D(4, 3, groups=2, padding="same", name="pairs", **of)(
        hidden
    )
    hidden = layers.Conv2D(6, 1, name="b", **of)(hidden)
    hidden = layers.GroupNormalization(3, axis=to.axis)(hidden)
    hidden = layers.Conv2D(6, 1, name="c", **of)(hidden)
    hidden = layers.Conv2D(12, 3, groups=6, name="each", **of)(hidden)
    if keras.__name__ == "keras":
        last = layers.SpectralNormalization(
            layers.Conv2D(2, 1, name="out", **of)
        )
    else:
        last = layers.Conv2D(2, 1, name="out", **of)
    return keras.Model(inputs, last(hidden))


@case(silent={"a": [0], "b": [1, 2]}, zero={"inner/c": [3]})
def nested_and_operations(keras, to):
    layers, do, of = keras.layers, followed.functions(keras), to.of
    inner_inputs = keras.Input(to.shape(7, 9, 5))
    hidden = layers.Conv2D(5, 1, name="c", **of)(inner_inputs)
    inner = keras.Model(inner_inputs, do.relu6(hidden), name="inner")

    inputs = keras.Input(to.shape(7, 9, 2))
    a = layers.Conv2D(5, 1, name="a", **of)(inputs)
    hidden = inner(do.relu6(a * 2.0 + 3) / 6 + a)
    hidden = do.concat([hidden, a], axis=to.axis)
    hidden = layers.Conv2D(4, 1, name="b", **of)(hidden)
    hidden = hidden * do.mean(hidden, to.spatial, keepdims=True)
    hidden = do.mean(do.square(hidden), to.spatial)
    return keras.Model(inputs, layers.Dense(2, name="out")(hidden))


@case(silent={"a": [0, 2]}, zero={"b": [1]})
def sequences(keras, to):
    layers, of = keras.layers, to.of
    inputs = keras.Input(to.shape(9, 2))
    hidden = layers.Conv1D(5, 3, name="a", **of)(inputs)
    hidden = to.normalization()(hidden)
    hidden = layers.MaxPooling1D(2, **of)(hidden)
    hidden = layers.Conv1D(4, 2, name="b", **of)(hidden)
    hidden = layers.GlobalAveragePooling1D(**of)(hidden)
    return keras.Model(inputs, layers.Dense(2, name="out")(hidden))


@case(silent={"a": [0, 2]}, zero={"b": [1], "c": [2]}, unread={"d": [0]})
def transpositions(keras, to):
    """Channels are last at both ends; `to` says where between."""
    layers, do, of = keras.layers, followed.functions(keras), to.of
    inputs = keras.Input((6, 6, 2))
    hidden = layers.Conv2D(5, 1, name="a", data_format="channels_last")(inputs)
    if to.first:
        hidden = layers.Permute((3, 1, 2))(hidden)
    hidden = layers.Conv2D(4, 1, name="b", **of)(hidden)
    hidden = layers.Conv2D(4, 1, name="c", **of)(hidden)
    if to.first:
        hidden = do.transpose(hidden, (0, 2, 3, 1))
    hidden = layers.Conv2D(3, 1, name="d", data_format="channels_last")(hidden)
    return keras.Model(inputs, layers.Dense(2, name="out")(hidden))


@case()
def pre_activation(keras, to):
    layers, of = keras.layers, to.of
    inputs = keras.Input(to.shape(8, 8, 3))
    stream = layers.Conv2D(8, 3, name="stem", **of)(inputs)
    for block in "ab":
        branch = layers.ReLU()(to.normalization(f"norm_{block}")(stream))
        branch = layers.Conv2D(
            8, 3, padding="same", use_bias=False, name=f"conv_{block}", **of
        )(branch)
        stream = layers.Add()([stream, branch])
    pooled = layers.GlobalAveragePooling2D(**of)(stream)
    return keras.Model(inputs, layers.Dense(5, name="out")(pooled))


WITHOUT_SELECTIONS = [one for one in CASES if one != "pre_activation"]


def twins(keras, name):
    """Makes a model with channels last, one with them first, and inputs."""
    build, dead = CASES[name]
    last = support.make(
        support.Case(
            lambda keras: build(keras, Layout(keras, False)), {}, **dead
        ),
        keras,
    )
    first = build(keras, Layout(keras, True))
    values = [
        value
        if value.shape == tuple(variable.shape)
        else np.moveaxis(value, -1, 0)
        for value, variable in zip(
            last.get_weights(), first.weights, strict=True
        )
    ]
    first.set_weights(values)
    return last, first


def inputs_of(last, first):
    inputs = support.example(last)
    moves = last.input_shape != first.input_shape
    return inputs, np.moveaxis(inputs, -1, 1) if moves else inputs


def outputs_of(model, inputs):
    return np.asarray(model(inputs, training=False))


def alike(outputs_last, outputs_first):
    if outputs_last.shape != outputs_first.shape:
        outputs_first = np.moveaxis(outputs_first, 1, -1)
    close(outputs_first, outputs_last)


def check_shrunk(keras, last, first, path):
    """Both lose the same channels and compute what they did."""
    inputs = inputs_of(last, first)
    expected = outputs_of(last, inputs[0])
    alike(expected, outputs_of(first, inputs[1]))
    (small_last, report_last), (small, report) = shrink(last), shrink(first)
    assert [row.units_left for row in report.rows] == [
        row.units_left for row in report_last.rows
    ], f"{report_last}\n{report}"
    assert report.weights_left == report_last.weights_left < report.weights
    assert small.count_params() == small_last.count_params()
    actual = outputs_of(small, inputs[1])
    alike(expected, actual)

    small.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(outputs_of(loaded, inputs[1]), actual)
    return report


@training.keras_in_turn(
    "name", [one for one in CASES if one != "pre_activation"]
)
def test_dead_channels_are_cut_as_in_the_twin(keras, name, tmp_path):
    check_shrunk(keras, *twins(keras, name), str(tmp_path / "small.keras"))


def test_selections(keras, tmp_path):
    last, first = twins(keras, "pre_activation")
    for model in (last, first):
        kill(model, {"norm_a": [0, 2, 5], "norm_b": [1]})
    report = check_shrunk(keras, last, first, str(tmp_path / "small.keras"))
    assert selected(report) == {"norm_a": (5, 8), "norm_b": (7, 8)}


def images_first(keras, size, *layers):
    """A sequential model with channels first."""
    return support.chain(keras, (2, *size), *layers)


FIRST = {"data_format": "channels_first"}


@pytest.mark.parametrize("way", ["as they are", "as a vector", "channels last"])
def test_flattened_in_the_order_of_axes(keras, way):
    layers = keras.layers
    flattens = {
        "as they are": layers.Flatten(data_format="channels_last"),
        "as a vector": layers.Reshape((-1,)),
        "channels last": layers.Flatten(**FIRST),
    }
    model = images_first(
        keras,
        (3, 5),
        layers.Conv2D(6, 1, activation="relu", name="a", **FIRST),
        layers.Reshape((6, 15)),
        layers.Reshape((6, 15, 1)) if way == "channels last" else layers.ReLU(),
        flattens[way],
        layers.Dense(2, name="out"),
    )
    support.randomize(model)
    support.erase(model.get_layer("a"), [0, 4], "units")
    inputs = support.example(model)
    small, report = shrink(model)
    assert report.rows[0].units_left == 4, report
    assert small.get_layer("out").get_weights()[0].shape == (60, 2)
    close(outputs_of(small, inputs), outputs_of(model, inputs))


def test_no_bias_ends_up_along_the_width(keras):
    """Keras 3 would add three biases to three columns."""
    layers = keras.layers
    model = images_first(
        keras,
        (5, 3),
        layers.Conv2D(5, 1, name="a", **FIRST),
        layers.Conv2D(4, 1, use_bias=False, name="b", **FIRST),
        layers.Conv2D(2, 1, name="out", **FIRST),
    )
    support.randomize(model)
    support.erase(model.get_layer("a"), [0, 4], "units", bias=True)
    support.erase(model.get_layer("b"), [1], "units")
    inputs = support.example(model)
    small, report = shrink(model)
    close(outputs_of(small, inputs), outputs_of(model, inputs))
    left = [row.units_left for row in report.rows]
    wrong = keras.__name__ == "keras"
    assert left == ([4, 3, 2] if wrong else [3, 3, 2])
    assert ("of 3 filters, Keras 3 would add" in str(report)) == wrong

    # The constants of `a` become a bias of `b`.
    support.randomize(model)
    support.erase(model.get_layer("a"), [2, 3], "units")
    support.erase(model.get_layer("b"), [1], "units")
    small, report = shrink(model)
    close(outputs_of(small, inputs), outputs_of(model, inputs))
    left = [row.units_left for row in report.rows]
    assert left == ([4, 4, 2] if wrong else [3, 3, 2])

    pruned, _ = tf_rigl.prune_channels(model, widths={"a": 3, "b": 2})
    assert pruned.get_layer("a").filters == (4 if wrong else 3)


@training.one_keras("keras")
def test_a_layer_that_goes_wrong_keeps_its_channels(keras):
    model = images_first(
        keras,
        (5, 4),
        keras.layers.Conv2D(6, 1, name="a", **FIRST),
        keras.layers.Conv2D(4, 1, name="b", **FIRST),
        keras.layers.Conv2D(2, 1, name="out", **FIRST),
    )
    support.randomize(model)
    for name in "ab":
        support.erase(model.get_layer(name), [1], "units")
    inputs = support.example(model)
    small, report = shrink(model)
    wrong = keras.__name__ == "keras"
    left = [row.units_left for row in report.rows]
    assert left == ([6, None, 2] if wrong else [5, 3, 2])
    assert ("along the width, 4 like its filters" in str(report)) == wrong
    close(outputs_of(small, inputs), outputs_of(model, inputs))


@training.keras_in_turn("criterion", ["l1", "activation"])
def test_the_same_channels_are_pruned(keras, criterion):
    last, first = twins(keras, "layers_of_images")
    both = []
    for model, inputs in zip(
        (last, first), inputs_of(last, first), strict=True
    ):
        small, report = tf_rigl.prune_channels(
            model, 0.4, criterion=criterion, data=[inputs]
        )
        small.compile("sgd", "mse")
        small.fit(inputs, np.zeros((len(inputs), 3)), verbose=0)
        both.append(report)
    for kept, kept_last in zip(
        *(report.masks.values() for report in both), strict=True
    ):
        np.testing.assert_array_equal(kept, kept_last)
    assert both[0].macs_left == both[1].macs_left < both[0].macs
