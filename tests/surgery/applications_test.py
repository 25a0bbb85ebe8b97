"""Channels of one network of each family of `keras.applications`."""

import numpy as np
import pytest

import tf_rigl
from tests import support as training
from tests.surgery import masked_channels
from tf_rigl.backend.flavor import flavor_of
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
# They normalize over channels.
MIXING = ("ConvNeXtTiny",)


def build(keras, name, first=False):
    """A network of random statistics: none of its channels is zero."""
    size = SHARES[name][1]
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
            continue
        expected = group.channels - int(0.3 * group.channels + 1e-9)
        for member in group.kernels:
            path = member.path.rpartition("/")[0]
            # Of all positions of the group in this layer.
            mask = report.masks[path]
            if len(mask) == member.positions.size:
                assert (
                    mask.sum() * group.channels == expected * len(mask)
                    or (reasons[path])
                )
                pruned += 1
    assert pruned > 5


def check_outputs(model, small, report, images):
    """Sets the channels that are gone to zero in the model, to compare."""
    masked_channels.set_to_zero(model, report.masks)
    expected = np.log(model(images, training=False))
    found = np.log(small(images, training=False))
    np.testing.assert_allclose(
        found, expected, atol=1e-5 * np.abs(expected).max(), rtol=0
    )
    # Of two images, of ten classes: they are not all alike.
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize(
    ("name", "keras"),
    training.in_turn(SHARES, lambda name: name != "MobileNet"),
    indirect=["keras"],
)
def test_fewer_channels(keras, name, tmp_path):
    model = build(keras, name)
    groups = tf_rigl.channel_groups(model)
    small, report = tf_rigl.prune_channels(model, 0.3)
    assert small.count_params() <= SHARES[name][0] * model.count_params()
    check_counts(groups, report)

    random = np.random.default_rng(1)
    images = random.normal(size=(2, *model.input_shape[1:])).astype("float32")
    assert bool(report.mixing) == (name in MIXING)
    if name not in MIXING:
        check_outputs(model, small, report, images)

    small.save(str(tmp_path / "small.keras"))
    # tf_keras does not find the layers of its applications by name.
    own = {
        type(layer).__name__: type(layer)
        for layer in model.layers
        if ".applications." in type(layer).__module__
    }
    loaded = keras.models.load_model(
        str(tmp_path / "small.keras"), custom_objects=own
    )
    training.assert_all_equal(loaded.get_weights(), small.get_weights())
    tf_rigl.export_saved_model(small, str(tmp_path / "small"))
    tf_rigl.export_litert(small, str(tmp_path / "small.tflite"))

    before = small.trainable_weights[0].numpy()
    small.compile("sgd", "sparse_categorical_crossentropy")
    small.train_on_batch(images, np.arange(2))
    assert (small.trainable_weights[0].numpy() != before).any()


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
        images = np.random.default_rng(1).normal(size=(2, 3, 32, 32))
        check_outputs(model, small, report, images.astype("float32"))
        small.save(str(tmp_path / "small.keras"))
        loaded = keras.models.load_model(str(tmp_path / "small.keras"))
        training.assert_all_equal(loaded.get_weights(), small.get_weights())
    finally:
        keras.backend.set_image_data_format("channels_last")
