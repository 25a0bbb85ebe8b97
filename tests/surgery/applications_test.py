"""Channels of one network of each family of `keras.applications`."""

import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests import support as training
from tests.surgery import masked_channels
from tf_rigl.backend.flavor import flavor_of
from tf_rigl.export.litert import run
from tf_rigl.surgery import channel_plan

# The largest share of parameters left of 30 % fewer channels, with 10 classes,
# and the smallest sizes of images that the networks take well.
SHARES = {
    "MobileNet": (0.51, 32),
    "VGG16": (0.51, 32),
    "ResNet50": (0.51, 32),
    "ResNet50V2": (0.51, 32),
    "DenseNet121": (0.51, 32),
    "MobileNetV2": (0.51, 32),
    "MobileNetV3Small": (0.51, 32),
    "EfficientNetB0": (0.51, 32),
    "EfficientNetV2B0": (0.51, 32),
    "Xception": (0.51, 72),
    "InceptionV3": (0.51, 76),
    "InceptionResNetV2": (0.51, 76),
    "ConvNeXtTiny": (0.51, 32),
    # Of its many layers of 11 channels 8 are left, more than 70 %.
    "NASNetMobile": (0.52, 32),
}
# Keras 3 has none of them.
ONLY_KERAS_2 = {
    # Each group of 8 channels of a convolution keeps 6.
    "RegNetX002": (0.54, 32),
    "RegNetY002": (0.54, 32),
    "ResNetRS50": (0.51, 32),
}
SIZES = {name: row[1] for name, row in (SHARES | ONLY_KERAS_2).items()}
# Chains of depthwise convolutions, and sums of them.
FAST = ("MobileNet", "MobileNetV2")
# The largest of their families, with one Keras each.
LARGEST = {
    "ResNet152V2": "keras",
    "EfficientNetB7": "tf_keras",
    "NASNetLarge": "tf_keras",
    "ConvNeXtXLarge": "keras",
}
# They normalize over channels.
MIXING = ("ConvNeXtTiny",)


def build(keras, name, first=False):
    """A network of random statistics: none of its channels is zero."""
    size = SIZES.get(name, 32)
    model = getattr(keras.applications, name)(
        weights=None,
        classes=10,
        input_shape=(3, size, size) if first else (size, size, 3),
    )
    flavor = flavor_of(model)
    random = np.random.default_rng(0)
    for variable in channel_plan.weights_below(flavor, model):
        raw = flavor.raw(variable)
        kind = channel_plan.last_name(variable)
        if kind in ("gamma", "moving_variance"):
            raw.assign(random.uniform(0.5, 1.5, raw.shape))
        elif kind in ("beta", "moving_mean", "bias"):
            raw.assign(0.1 * random.normal(size=raw.shape))
    return model


def check_counts(groups, report):
    """Each coupled layer has c − ⌊.3 c⌋ channels, or the reason is known."""
    reasons = {row.path: row.kept for row in report.rows}
    pruned = 0
    for group in groups:
        if group.kept:
            for path in group.makers:
                assert set(group.kept) <= set(reasons[path])
            continue
        expected = group.channels - int(0.3 * group.channels + 1e-9)
        for member in group.kernels:
            # A layer has each channel of the group as often.
            left = report.masks[member.layer_path][member.positions]
            assert (left.sum(axis=0) == expected).all(), member.layer_path
            pruned += 1
    assert pruned > 5


def gives_probabilities(model):
    return model.layers[-1].activation.__name__ == "softmax"


def check_close(found, expected):
    np.testing.assert_allclose(
        found, expected, atol=1e-5 * np.abs(expected).max(), rtol=0
    )


def check_outputs(model, small, report, images):
    """Sets the channels that are gone to zero in the model, to compare."""
    masked_channels.set_to_zero(model, report.masks)
    expected = np.asarray(model(images, training=False))
    found = np.asarray(small(images, training=False))
    if gives_probabilities(model):
        expected, found = np.log(expected), np.log(found)
    check_close(found, expected)
    # Of two images, of ten classes: they are not all alike.
    assert np.ptp(expected) > 0.1


def check_reloaded(keras, small, images, path):
    """The weights and outputs of a `.keras` file are those of the model."""
    small.save(str(path))
    # tf_keras does not find the layers of its applications by name.
    own = {
        type(layer).__name__: type(layer)
        for layer in small.layers
        if ".applications." in type(layer).__module__
    }
    loaded = keras.models.load_model(str(path), custom_objects=own)
    training.assert_all_equal(loaded.get_weights(), small.get_weights())
    check_close(
        np.asarray(loaded(images, training=False)),
        np.asarray(small(images, training=False)),
    )


def check_exported(small, images, folder):
    """A SavedModel and a LiteRT file compute the same."""
    expected = np.asarray(small(images, training=False))
    tf_rigl.export_saved_model(small, str(folder / "small"))
    loaded = tf.saved_model.load(str(folder / "small"))
    check_close(np.asarray(loaded.serve(images)), expected)

    tf_rigl.export_litert(small, str(folder / "small.tflite"))
    runner = run.Runner((folder / "small.tflite").read_bytes())
    (name,) = runner.inputs
    (output,) = runner({name: images}).values()
    check_close(output, expected)


def check_training(keras, small, images):
    before = small.trainable_weights[0].numpy()
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=not gives_probabilities(small)
    )
    small.compile("sgd", loss)
    small.train_on_batch(images, np.arange(2))
    after = small.trainable_weights[0].numpy()
    assert np.isfinite(after).all()
    assert (after != before).any()


def prune(keras, name):
    """Prunes a network, with what every one must hold."""
    model = build(keras, name)
    groups = tf_rigl.channel_groups(model)
    small, report = tf_rigl.prune_channels(model, 0.3)
    share, _ = (SHARES | ONLY_KERAS_2)[name]
    assert small.count_params() <= share * model.count_params()
    check_counts(groups, report)

    random = np.random.default_rng(1)
    images = random.normal(size=(2, *model.input_shape[1:])).astype("float32")
    assert bool(report.mixing) == (name in MIXING)
    if name not in MIXING:
        check_outputs(model, small, report, images)
    return small, images


@pytest.mark.parametrize(
    ("name", "keras"),
    [
        *training.in_turn(SHARES, lambda name: name not in FAST),
        *(
            pytest.param(name, "tf_keras", marks=pytest.mark.slow)
            for name in ONLY_KERAS_2
        ),
    ],
    indirect=["keras"],
)
def test_fewer_channels(keras, name, tmp_path):
    small, images = prune(keras, name)
    check_reloaded(keras, small, images, tmp_path / "small.keras")
    check_exported(small, images, tmp_path)
    check_training(keras, small, images)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "keras"), LARGEST.items(), indirect=["keras"])
def test_fewer_channels_of_the_largest(keras, name):
    """Counts only; the last one has 1.4 GB of weights and takes 4.2 GB."""
    model = build(keras, name)
    groups = tf_rigl.channel_groups(model)
    small, report = tf_rigl.prune_channels(model, 0.3)
    check_counts(groups, report)
    assert small.count_params() <= 0.5 * model.count_params()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2", "EfficientNetB0"])
def test_fewer_channels_that_are_first(keras, name, tmp_path):
    keras.backend.set_image_data_format("channels_first")
    try:
        model = build(keras, name, first=True)
        groups = tf_rigl.channel_groups(model)
        small, report = tf_rigl.prune_channels(model, 0.3)
        assert small.count_params() <= 0.51 * model.count_params()
        check_counts(groups, report)
        random = np.random.default_rng(1)
        images = random.normal(size=(2, 3, 32, 32)).astype("float32")
        check_outputs(model, small, report, images)
        check_reloaded(keras, small, images, tmp_path / "small.keras")
    finally:
        keras.backend.set_image_data_format("channels_last")
