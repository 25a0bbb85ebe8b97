"""Fewer channels: the same as zeros, and reports, in both Keras."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support as training
from tests.surgery import dead_units
from tests.surgery import followed
from tests.surgery import pruning
from tests.surgery import support

# The units left of a third less, rounded down.
COUNTS = {
    "mlp": {"a": 6, "b": 5, "out": 3},
    "residual": {"a": 4, "b": 3, "c": 4, "d": 4, "out": 3},
    "gated": {"a": 4, "squeeze": 3, "excite": 8, "b": 3, "out": 3},
    "depthwise": {"a": 4, "b": 2, "out": 3},
    "branches": {"a": 3, "b": 3, "c": 3, "out": 3},
    "padding_layer": {"a": 4, "b": 3, "c": 3, "out": 3},
    "transposed": {"a": 4, "b": 3, "out": 3},
    "volumes": {"a": 3, "b": 2, "out": 2},
    "recurrent": {"a": 4, "lstm": 4, "gru": 4, "rnn": 3, "out": 3},
    "tokens": {"a": 4, "b": 4, "gru": 3, "out": 3},
    "reshaped": {"a": 8, "b": 3, "c": 4, "out": 3},
    "nested": {"first/a": 4, "first/b": 4, "second/c": 4, "out": 3},
    "shared": {"a": 4, "b": 4, "shared": 4, "out": 3},
}


# Of the others, each rule has its own test of constants.
FAST = ("residual", "gated", "depthwise", "branches", "recurrent")


@training.keras_in_turn("name", COUNTS, lambda name: name not in FAST)
def test_outputs_are_those_of_the_masked_model(keras, name):
    model = dead_units.CASES[name].build(keras)
    support.randomize(model)
    small, report = pruning.prune_alike(model, 0.34)
    assert pruning.left(report) == COUNTS[name], str(report)
    assert type(small) is type(model)


FOLLOWED = {
    "numbers": {"a": 4, "b": 4, "c": 4, "out": 3},
    "gates": {"a": 4, "squeeze": 3, "excite": 4, "map": 1, "out": 3},
    "parts": {"a": 7, "b": 3, "c": 3, "d": 6, "out": 2},
    "positions": {"a": 3, "b": 6, "c": 4, "d": 3, "out": 2},
    # Of 4 channels in each of 2 places of a group, none goes with its place.
    "groups": {"a": 8, "b": 8, "d": 3, "out": 2},
    # Whole groups go: none of two, one of three.
    "normalized": {"a": 8, "b": 6, "c": 4, "out": 2},
    "images": {"a": 4, "b": 2, "out": 2},
    "heads": {"a": 4, "b": 4, "self": 4, "cross": 4, "out": 2},
    "wrapped": {"a": 4, "b": 2, "both": 8, "sum": 3, "c": 3, "out": 2},
    "taken": {"a": 7, "b": 2, "c": 2, "out": 2},
    "activations": {"a": 4, "b": 4, "c": 3, "out": 2},
}


@training.keras_in_turn("name", FOLLOWED)
def test_outputs_through_operations_and_layers(keras, name):
    model = followed.CASES[name].build(keras)
    support.randomize(model)
    small, report = pruning.prune_alike(model, 0.34)
    assert pruning.left(report) == FOLLOWED[name], str(report)
    # Counted without tracing the small model.
    assert tf_rigl.profile(small).dense_macs == report.macs_left < report.macs

    if name == "heads":
        heads = [
            small.get_layer(one).get_config()["num_heads"]
            for one in ("self", "cross")
        ]
        assert heads == [4 - 1, 3 - 1]
        listed = "- self: 3 of 4 are left\n- cross: 2 of 3 are left"
        assert f"Heads:\n{listed}\n" in str(report)


@training.one_keras("tf_keras")
def test_constants_that_do_not_fit_are_kept_with_the_reason(keras):
    """A sigmoid of zero is a half, which padding interrupts."""
    layers = keras.layers
    model = support.chain(
        keras,
        (6, 6, 2),
        layers.Conv2D(6, 3, activation="sigmoid", name="a"),
        layers.Conv2D(4, 1, activation="sigmoid", name="b"),
        layers.Conv2D(4, 3, padding="same", name="c"),
        layers.Flatten(),
        layers.Dense(3, name="out"),
    )
    support.randomize(model)
    _, report = pruning.prune_alike(model, 0.5)
    # Halves of `a` are in the bias of `b`.
    assert pruning.left(report) == {"a": 3, "b": 4, "c": 2, "out": 3}
    assert "chosen, but constant, and c pads with zeros" in report.rows[1].kept


@training.one_keras("keras")
def test_values_of_zero_are_no_reason(keras):
    """Scales start at 0 in many networks, classifiers too."""
    model = pruning.convnet(keras)
    for name in ("second_norm", "out"):
        layer = model.get_layer(name)
        layer.set_weights([0 * one for one in layer.get_weights()])
    _, report = tf_rigl.prune_channels(model, 0.3)
    assert pruning.left(report) == {"first": 7, "second": 6, "out": 5}


@training.one_keras("keras")
def test_sparse_compiled_model(keras):
    model = tf_rigl.sparsify(pruning.convnet(keras), 0.5)
    model.compile("adam", "mse", run_eagerly=True)
    inputs, labels = support.example(model), np.zeros((3, 5), "float32")
    model.train_on_batch(inputs, labels)
    small, report = tf_rigl.prune_channels(model, 0.3, compiled=True)
    assert pruning.left(report) == {"first": 7, "second": 6, "out": 5}
    assert tf_rigl.masks(small) == {}
    assert tf_rigl.masks(model)
    small.train_on_batch(inputs, labels)
    assert int(small.optimizer.iterations) == 2


TABLE = """
layer        class               units  left  weights  left
-----------------------------------------------------------
first        Conv2D                 10     7      280   196
first_norm   BatchNormalization                    40    28
second       Conv2D                  8     6      728   384
second_norm  BatchNormalization                    32    24
out          Dense                   5     5       45    35
-----------------------------------------------------------
total                               23    18    1,125   667

Kept:
- out: model output

MACs: 35,680, left 20,442"""


@training.one_keras("keras")
def test_report(keras):
    model = pruning.convnet(keras)
    report = tf_rigl.prune_channels(model, 0.3).report
    assert str(report) == f"Model {model.name!r}\n{TABLE}"


@training.one_keras("keras")
def test_layers_that_mix_channels_are_named(keras):
    layers = keras.layers
    names = ["LayerNormalization", "RMSNormalization", "UnitNormalization"]
    kinds = [getattr(layers, one) for one in names if hasattr(layers, one)]
    model = support.chain(
        keras,
        (4,),
        layers.Dense(8, name="a"),
        *(kind(name=kind.__name__) for kind in kinds),
        layers.Dense(3, name="out"),
    )
    small, report = tf_rigl.prune_channels(model, 0.5)
    assert pruning.left(report) == {"a": 4, "out": 3}
    names = [kind.__name__ for kind in kinds]  # of tf_keras two
    assert report.mixing == tuple(names)
    assert " ".join(str(report).split()).endswith(
        f"Statistics of fewer channels: {', '.join(names)}"
    )
    for layer in small.layers[1:3]:
        assert [one.shape for one in layer.weights] == [(4,)] * (
            len(model.get_layer(layer.name).weights)
        )


@training.one_keras("tf_keras")
def test_numbers_of_numpy_and_losses_by_name(keras):
    model = pruning.convnet(keras)
    data = [(support.example(model), np.zeros((3, 5), "float32"))]
    _, report = tf_rigl.prune_channels(
        model,
        widths={"first": np.int64(4)},
        criterion="taylor",
        data=data,
        loss="mse",
    )
    assert pruning.left(report) == {"first": 4, "second": 8, "out": 5}


def test_losses_of_several_outputs(keras):
    layers = keras.layers
    inputs = keras.Input((4,))
    hidden = layers.Dense(6, name="a")(inputs)
    outputs = [layers.Dense(2, name=name)(hidden) for name in ("b", "c")]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    labels = np.ones((3, 2), "float32")
    options = {
        "criterion": "taylor",
        "data": [(support.example(model), (labels, labels))],
    }
    with pytest.raises(ValueError, match=r"`loss` of all.*\['b', 'c'\]"):
        tf_rigl.prune_channels(model, 0.5, **options)

    def loss(labels, outputs):
        return sum(
            tf.reduce_mean(tf.square(one - other))
            for one, other in zip(labels, outputs, strict=True)
        )

    _, report = tf_rigl.prune_channels(model, 0.5, **options, loss=loss)
    assert pruning.left(report) == {"a": 3, "b": 2, "c": 2}


@training.one_keras("keras")
def test_every_part_keeps_a_channel(keras):
    """A slice of none would be a tensor of no channels."""
    layers = keras.layers
    inputs = keras.Input((4, 4, 3))
    hidden = layers.Conv2D(8, 1, name="a")(inputs)
    parts = [
        layers.MaxPooling2D(2)(hidden[..., :4]),
        layers.AveragePooling2D(2)(hidden[..., 4:]),
    ]
    hidden = layers.Concatenate()(parts)
    model = keras.Model(inputs, layers.Conv2D(2, 1, name="out")(hidden))
    support.randomize(model)
    kernel, bias = model.get_layer("a").get_weights()
    kernel[..., :4] *= 0.01
    model.get_layer("a").set_weights([kernel, bias])
    _, report = pruning.prune_alike(model, 0.5)
    assert pruning.left(report) == {"a": 5, "out": 2}
    assert report.masks["a"].tolist() == [True] + 3 * [False] + 4 * [True]
    assert report.rows[0].kept == ("the last one of a part",)


@training.one_keras("tf_keras")
def test_open_sizes_have_no_costs(keras):
    layers = keras.layers
    inputs = keras.Input((None, None, 3))
    hidden = layers.Conv2D(6, 3, padding="same", name="a")(inputs)
    hidden = layers.GlobalAveragePooling2D()(hidden)
    model = keras.Model(inputs, layers.Dense(2, name="out")(hidden))
    small, report = tf_rigl.prune_channels(model, 0.5)
    assert report.macs is report.macs_left is None
    with pytest.raises(ValueError, match=r"known sizes.*flops=1000.*\['a'\]"):
        tf_rigl.prune_channels(model, flops=1000)
    some, _ = tf_rigl.prune_channels(model, parameters=small.count_params())
    assert some.count_params() == small.count_params()


@training.one_keras("keras")
def test_masks_of_time_steps(keras):
    """Keras 3 passes them as tensors to what is called behind `Embedding`."""
    layers = keras.layers
    inputs = keras.Input((5,), dtype="int32")
    hidden = layers.Embedding(9, 4, mask_zero=True, name="words")(inputs)
    hidden = layers.Dense(6, name="a")(hidden)
    hidden = layers.LSTM(6, return_sequences=True, name="lstm")(hidden)
    hidden = layers.Bidirectional(layers.GRU(4), name="both")(hidden)
    model = keras.Model(inputs, layers.Dense(2, name="out")(hidden))
    support.randomize(model)
    _, report = pruning.prune_alike(model, 0.5)
    assert pruning.left(report) == {
        **{"words": 2, "a": 3, "lstm": 3, "both": 4, "out": 2}
    }
