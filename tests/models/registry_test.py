import keras as keras3
import numpy as np
import pytest

import tf_rigl
from tests.support import fit
from tf_rigl.models import registry

# What makes each network small enough to train here.
IMAGES = {"input_shape": (32, 32, 3), "classes": 3, "width": 1 / 16}
TEXT = {"vocabulary": 9, "length": 8, "width": 1 / 16}
SMALL = {
    "lenet_300_100": {"classes": 3},
    "lenet_5": {"classes": 3},
    "character_gru": TEXT,
    "character_lstm": TEXT,
    "vit_s_16": {**IMAGES, "blocks": 2},
}
QUICK = {
    "lenet_300_100",
    "lenet_5",
    "conv_2",
    "resnet_8",
    "padded_resnet_8",
    "slimming_vgg_11",
    "vgg_16_a",
    "character_lstm",
    "vit_s_16",
}
# The same as others, but for the number of layers.
DEEPER = {
    "conv_6",
    "conv_8",
    "resnet_32",
    "resnet_56",
    "resnet_110",
    "resnet_164",
    "padded_resnet_20",
    "padded_resnet_56",
    "padded_resnet_110",
    "padded_resnet_164",
    "preresnet_164",
    "resnet_34_a",
    "resnet_34_b",
    "vgg_16_thinet",
    "vgg_16_5x",
    "resnet_56_a",
    "resnet_56_b",
    "slimming_vgg_13",
    "slimming_vgg_16",
    "slimming_vgg_19",
    "resnet_110_a",
    "resnet_110_b",
    "resnet_34",
    "resnet_101",
    "vgg_19",
}
DIFFERENT = [name for name in registry.BUILDERS if name not in DEEPER]


def quick_first(names):
    """Marks all but the quick networks as slow."""
    return [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in names
    ]


def small(name, keras):
    arguments = SMALL.get(name, IMAGES)
    return registry.builder(name)(keras, **arguments)


def batch(model):
    generator = np.random.default_rng(0)
    shape = tuple(model.input_shape[1:])
    classes = model.output_shape[-1]
    if len(shape) == 1:
        text = generator.integers(0, classes, (8, *shape))
        return text, np.roll(text, -1, axis=1)
    labels = generator.integers(0, classes, 8)
    return generator.random((8, *shape), np.float32), labels


@pytest.mark.parametrize("name", quick_first(registry.BUILDERS))
def test_names_and_width(name):
    model = small(name, keras3)
    assert model.name == name
    inputs, labels = batch(model)
    assert model(inputs).shape == (*labels.shape, model.output_shape[-1])


@pytest.mark.parametrize("name", quick_first(DIFFERENT))
def test_no_two_kernels_begin_alike(keras, name):
    """An initializer that layers share gives equal shapes the same values."""
    seen = set()
    for weight in small(name, keras).trainable_weights:
        values = np.asarray(weight)
        if values.std() > 0:
            key = (values.shape, values.tobytes())
            assert key not in seen, weight.name
            seen.add(key)


@pytest.mark.slow
@pytest.mark.parametrize("name", DIFFERENT)
def test_trains_sparse(keras, name):
    keras.utils.set_random_seed(0)
    model = tf_rigl.sparsify(small(name, keras), 0.5)
    before = tf_rigl.masks(model)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    method = tf_rigl.RigL(stop_step=20, update_interval=2)
    history = fit(model, batch(model), method, epochs=20)
    losses = history.history["loss"]
    assert losses[-1] < losses[0]
    after = tf_rigl.masks(model)
    assert before.keys() == after.keys()
    for path, mask in before.items():
        assert after[path].sum() == mask.sum()
    assert any((after[path] != before[path]).any() for path in before)


def test_unknown_name():
    with pytest.raises(ValueError, match=r"'wrn_22_2'\]. Received: 'wrn'"):
        registry.builder("wrn")
