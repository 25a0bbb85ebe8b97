"""Selections in front of branches that read fewer channels than there are."""

import zipfile

import numpy as np
import pytest
import tensorflow as tf

from tests import support as training
from tests.surgery import support
from tests.surgery.normalization_test import set_to
from tests.surgery.shrink_test import close
from tests.surgery.shrink_test import shrink_alike
from tf_rigl.models import wide_resnet
from tf_rigl.surgery.shrink import shrink


def kill(model, dead):
    """Sets gamma and beta of layers to 0 at the given channels."""
    for name, channels in dead.items():
        layer = support.find(model, name)
        set_to(layer, list(channels), gamma=0.0, beta=0.0)


def selected(report):
    return {row.path: row.selected for row in report.rows if row.selected}


def normalized(keras, features, name):
    features = keras.layers.BatchNormalization(name=name)(features)
    return keras.layers.ReLU()(features)


def convolved(keras, features, filters, size, name):
    return keras.layers.Conv2D(
        filters, size, padding="same", use_bias=False, name=name
    )(features)


def pre_activation(keras, shape=(8, 8, 3)):
    """Two blocks behind a stem: 432 + 2 · (64 + 2,304) + 85 = 5,253."""
    inputs = keras.Input(shape)
    stream = convolved(keras, inputs, 16, 3, "stem")
    for block in "ab":
        branch = normalized(keras, stream, f"norm_{block}")
        branch = convolved(keras, branch, 16, 3, f"conv_{block}")
        stream = keras.layers.Add()([stream, branch])
    pooled = keras.layers.GlobalAveragePooling2D()(stream)
    return keras.Model(inputs, keras.layers.Dense(5, name="out")(pooled))


def test_pre_activation(keras, tmp_path):
    """Blocks keep 8 and 10 channels: 4 · 18 + 9 · 16 · 18 + 517 = 3,181."""
    model = pre_activation(keras)
    support.randomize(model)
    kill(model, {"norm_a": range(0, 16, 2), "norm_b": range(6)})
    small, report = shrink_alike(model, 1e-5)
    assert (report.weights, report.weights_left) == (5_253, 3_181)
    assert small.count_params() == 3_181
    assert selected(report) == {"norm_a": (8, 16), "norm_b": (10, 16)}
    assert "Selected:\n- norm_a: reads 8 of 16 channels\n" in str(report)

    without, report = shrink(model, select=False)
    assert without.count_params() == report.weights_left == 5_253
    assert selected(report) == {}

    # Neither file names anything of ours, nor does it learn the indices.
    inputs = support.example(model)
    path = str(tmp_path / "small.keras")
    small.save(path)
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            assert b"rigl" not in archive.read(name)
    loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(
        support.outputs_of(loaded, inputs), support.outputs_of(small, inputs)
    )
    again, nothing = shrink(loaded)
    assert nothing.weights == nothing.weights_left == 3_181
    close(support.outputs_of(again, inputs), support.outputs_of(small, inputs))


@training.one_keras("tf_keras")
def test_wide_resnet(keras):
    """30 % of the scales of each normalization, others in the first two.

    The stem and both normalizations that read its stream have 16 channels, of
    which each reads 12; the streams of 32 and 64 are read once, by 23 and 45.
    432 + 48 + 9·12·12 + 48 + 9·12·16, 48 + 12·23 + 9·12·23 + 92 + 9·23·23,
    92 + 23·45 + 9·23·45 + 180 + 9·45·45, 180 + 45·10 + 10: 40,700.
    """
    model = wide_resnet.wide_resnet(keras, 10, 1, (16, 16, 3))
    support.randomize(model)
    dead = {
        layer.name: range(int(0.3 * layer.gamma.shape[0]))
        for layer in model.layers
        if "norm" in layer.name
    }
    dead["group2_0_norm1"] = range(4, 8)
    kill(model, dead)

    inputs = support.example(model, batch=8)
    expected = support.outputs_of(model, inputs).reshape(8, 10)
    small, report = shrink(model)
    outputs = support.outputs_of(small, inputs).reshape(8, 10)
    close(outputs, expected, 1e-5)
    np.testing.assert_array_equal(outputs.argmax(1), expected.argmax(1))
    assert (report.weights, report.weights_left) == (78_330, 40_700)
    assert selected(report) == {
        "group1_0_norm1": (12, 16),
        "group2_0_norm1": (12, 16),
    }
    # Both read 16 channels: 4 · 4 + 9·4·12, and 4 · 4 + 4·23 + 9·4·23.
    assert shrink(model, select=False).model.count_params() == 42_084


@training.one_keras("tf_keras")
def test_dense_block(keras):
    """Three layers of growth 4 behind 8 channels, a third of each killed.

    Of 8, 12, 16 and 20 channels, 6, 8, 11 and 14 are read; channel 16 by none.
    """
    inputs = keras.Input((6, 6, 3))
    stream = convolved(keras, inputs, 8, 3, "stem")
    for number in range(3):
        grown = normalized(keras, stream, f"norm_{number}")
        grown = convolved(keras, grown, 4, 3, f"conv_{number}")
        stream = keras.layers.Concatenate()([stream, grown])
    hidden = normalized(keras, stream, "norm")
    hidden = keras.layers.GlobalAveragePooling2D()(hidden)
    model = keras.Model(inputs, keras.layers.Dense(5, name="out")(hidden))
    support.randomize(model)
    kill(
        model,
        {
            "norm_0": range(2),
            "norm_1": range(2, 6),
            "norm_2": range(6, 11),
            "norm": range(11, 17),
        },
    )

    small, report = shrink_alike(model, 1e-5)
    assert selected(report) == {
        "norm_0": (6, 8),
        "norm_1": (8, 12),
        "norm_2": (11, 16),
        "norm": (14, 19),
    }
    assert small.count_params() == (
        216 + 4 * (6 + 8 + 11 + 14) + 36 * (6 + 8) + 27 * 11 + 5 * 14 + 5
    )


@training.one_keras("keras")
def test_nested_and_shared_layers(keras):
    """A block is called twice, and a normalization on two streams.

    The block's first model is a list of layers, which nothing is inserted in.
    """
    layers = keras.layers
    within = keras.Input((6, 8))
    body = keras.Sequential(
        [
            keras.Input((6, 8)),
            layers.BatchNormalization(name="norm"),
            layers.Conv1D(8, 1, use_bias=False, name="conv"),
        ],
        name="body",
    )
    hidden = normalized(keras, body(within), "own")
    hidden = layers.Conv1D(8, 1, use_bias=False, name="last")(hidden)
    summed = layers.Add()([within, hidden])
    block = keras.Model(within, summed, name="block")

    inputs = [keras.Input((6, 8), name=name) for name in "ab"]
    shared = layers.BatchNormalization(name="shared")
    first, second = (block(one) for one in inputs)
    outputs = [
        layers.Conv1D(3, 1, name=f"out_{name}")(shared(stream))
        for name, stream in zip("ab", (first, second), strict=True)
    ]
    model = keras.Model(inputs, [*outputs, first])
    support.randomize(model)
    kill(
        model,
        {"block/body/norm": [0, 1], "block/own": [3], "shared": [2, 5, 7]},
    )

    small, report = shrink_alike(model, 1e-5)
    # In front of each of its two calls.
    assert selected(report) == {"shared": (5, 8)}
    operations = [one for one in small.layers if "selection" in one.name]
    assert len(operations) in (0, 2)
    # The filters that `own` kills go: `norm` is in a list and stays whole.
    left = {row.path: row.weights_left for row in report.rows}
    assert left["block/body/norm"] == 32
    assert left["block/body/conv"] == 8 * 7
    assert left["shared"] == 4 * 5


@training.one_keras("keras")
def test_layers_without_names_are_not_selected_for(keras):
    """The new model's layers are found by name where others are inserted."""

    class Plain(keras.layers.Layer):
        def __init__(self):
            super().__init__()

        def call(self, inputs):
            return 2 * inputs

        def get_config(self):
            return {}

    inputs = keras.Input((6,))
    hidden = keras.layers.BatchNormalization(name="norm")(Plain()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(hidden))
    support.randomize(model)
    kill(model, {"norm": [1]})
    _, report = shrink_alike(model, 1e-5)
    assert selected(report) == {}


def test_exports(keras, tmp_path):
    """SavedModel and LiteRT compute the same as the small model."""
    model = pre_activation(keras)
    support.randomize(model)
    kill(model, {"norm_a": range(0, 16, 2), "norm_b": range(6)})
    small, _ = shrink(model)
    inputs = support.example(model)
    expected = support.outputs_of(small, inputs)

    folder = str(tmp_path / "small")
    small.export(folder)
    loaded = tf.saved_model.load(folder)
    close(np.ravel(loaded.serve(inputs)), expected, 1e-5)

    content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    interpreter = tf.lite.Interpreter(model_content=content)
    (taken,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(taken["index"], inputs.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(taken["index"], inputs)
    interpreter.invoke()
    (given,) = interpreter.get_output_details()
    close(np.ravel(interpreter.get_tensor(given["index"])), expected, 1e-5)


def test_errors(keras):
    with pytest.raises(ValueError, match=r"`select` must be one of"):
        shrink(pre_activation(keras), select="always")


def bottleneck_resnet(keras):
    """PreResNet-164, whose stream no branch normalizes: 18 blocks a stage."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    stream = convolved(keras, inputs, 16, 3, "stem")
    for filters in (16, 32, 64):
        for block in range(18):
            name = f"{filters}_{block}"
            hidden = normalized(keras, stream, f"{name}_a")
            hidden = convolved(keras, hidden, filters, 1, f"{name}_1")
            hidden = normalized(keras, hidden, f"{name}_b")
            hidden = convolved(keras, hidden, filters, 3, f"{name}_2")
            hidden = normalized(keras, hidden, f"{name}_c")
            hidden = convolved(keras, hidden, 4 * filters, 1, f"{name}_3")
            if not block:
                stream = convolved(keras, stream, 4 * filters, 1, name)
            stream = layers.Add()([stream, hidden])
    hidden = normalized(keras, stream, "last")
    hidden = layers.GlobalAveragePooling2D()(hidden)
    return keras.Model(inputs, layers.Dense(10)(hidden))


def dense_net(keras):
    """DenseNet-40-12: three blocks of twelve layers that grow by 12."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    stream = convolved(keras, inputs, 24, 3, "stem")
    for block in range(3):
        if block:
            hidden = normalized(keras, stream, f"{block}_norm")
            stream = convolved(keras, hidden, stream.shape[-1], 1, f"{block}")
            stream = layers.AveragePooling2D(2)(stream)
        for layer in range(12):
            name = f"{block}_{layer}"
            hidden = normalized(keras, stream, f"{name}_a")
            hidden = convolved(keras, hidden, 12, 3, name)
            stream = layers.Concatenate()([stream, hidden])
    hidden = normalized(keras, stream, "last")
    hidden = layers.GlobalAveragePooling2D()(hidden)
    return keras.Model(inputs, layers.Dense(10)(hidden))


# Trainable weights of CIFAR-10 networks, whole and with 40 or 60 % of each
# normalization killed: every channel is read by some. The last ones are those
# of Liu et al.'s program, which selects behind a normalization of the stream.
GOLDEN = [
    (bottleneck_resnet, 0.4, 1_703_258, 762_183, 768_603),
    (bottleneck_resnet, 0.6, 1_703_258, 417_801, 427_431),
    (dense_net, 0.4, 1_059_298, 637_738, 645_194),
    (dense_net, 0.6, 1_059_298, 425_904, 437_104),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", GOLDEN, ids=lambda case: f"{case[0].__name__}-{case[1]}"
)
def test_networks_of_network_slimming(keras, case):
    build, ratio, whole, left, selected_behind = case
    model = build(keras)
    random = np.random.default_rng(0)
    dead, read = {}, np.zeros(1000, bool)
    for layer in model.layers:
        if not hasattr(layer, "gamma"):
            continue
        count = layer.gamma.shape[0]
        channels = np.arange(count)
        ends_block = build is dense_net and not layer.name.endswith("_a")
        if ends_block:
            # Nothing else behind a dense block reads its channels.
            channels = channels[read[:count]]
        killed = random.permutation(channels)[: int(ratio * count)]
        dead[layer.name] = killed
        read[np.setdiff1d(np.arange(count), killed)] = True
        if ends_block:
            read[:] = False
    kill(model, dead)

    def trainable(one):
        return sum(int(np.prod(w.shape)) for w in one.trainable_weights)

    small, _ = shrink_alike(model, 1e-5)
    assert (trainable(model), trainable(small)) == (whole, left)

    # Behind it, killed channels keep γ and β, and the moving statistics, which
    # are not trainable. Those inside of a bottleneck are no stream's.
    of_stream = [
        killed
        for name, killed in dead.items()
        if not name.endswith(("_b", "_c"))
    ]
    assert left + 2 * sum(map(len, of_stream)) == selected_behind
