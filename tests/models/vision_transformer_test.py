import keras as keras3
import numpy as np
import pytest
import tf_keras

import tf_rigl
from tests.models import support
from tf_rigl.models import vision_transformer


def tiny(keras, **arguments):
    arguments = {"classes": 7, "blocks": 2, "heads": 3, **arguments}
    return vision_transformer.vision_transformer(
        keras, (16, 24, 3), patch_size=8, head_units=4, **arguments
    )


def random_images(seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(2, 16, 24, 3)).astype(np.float32)


@pytest.mark.parametrize(
    "flavor",
    [pytest.param(one, marks=pytest.mark.slow) for one in (keras3, tf_keras)],
)
def test_vit_s_16_is_the_published_one(flavor):
    model = vision_transformer.vision_transformer(flavor)
    assert model.count_params() == 22_050_664
    profile = tf_rigl.profile(model)
    assert profile.macs == 4_598_882_304
    products = [row for row in profile.rows if row.path.endswith("products")]
    assert [row.macs for row in products] == [2 * 197**2 * 384] * 12
    assert profile.uncounted == ()


def test_all_kernels_become_sparse(keras):
    profile = tf_rigl.profile(tf_rigl.sparsify(tiny(keras), 0.9))
    rows = support.kernels(profile)
    assert len(rows) == 1 + 2 * 6 + 1
    masked = [row.path for row in profile.rows if row.masked]
    assert masked == [row.path for row in rows]
    weights = sum(row.parameters for row in rows)
    zeros = weights - sum(row.nonzeros for row in rows)
    assert zeros == int(0.9 * weights)


def test_class_token_and_positions(keras):
    """Both are learned and looked up in order, whatever the image."""
    model = tiny(keras)
    names = ["class_token", "positions"]
    table = np.arange(7 * 12, dtype=np.float32).reshape(7, 12)
    model.get_layer("positions").set_weights([table])
    model.get_layer("class_token").set_weights([table[:1] + 0.5])
    learned = keras.Model(
        model.input, [model.get_layer(name).output for name in names]
    )
    for images in (random_images(), np.full((2, 16, 24, 3), np.nan, "f4")):
        class_token, positions = learned(images)
        for row in np.asarray(positions):
            np.testing.assert_array_equal(row, table)
        for row in np.asarray(class_token):
            np.testing.assert_array_equal(row, table[:1] + 0.5)


def test_logits_are_of_the_class_token(keras):
    """Tokens change places when patches and positions do, it does not."""
    model = tiny(keras)
    # Initial weights are so small that tokens hardly matter.
    model.set_weights([5 * weight for weight in model.get_weights()])
    images = random_images()
    positions = model.get_layer("positions")
    table = np.random.default_rng(1).normal(size=(7, 12))
    positions.set_weights([table])
    expected = np.asarray(model(images))

    swapped = images.copy()
    swapped[:, :8, :8], swapped[:, 8:, 16:] = (
        images[:, 8:, 16:],
        images[:, :8, :8],
    )
    assert np.abs(np.asarray(model(swapped)) - expected).max() > 0.02
    table[[1, 6]] = table[[6, 1]]
    positions.set_weights([table])
    found = np.asarray(model(swapped))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert found.shape == (2, 7)


def test_many_positions_in_half_precision(keras):
    """Beyond 256, bfloat16 cannot tell whole numbers apart."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = vision_transformer.vision_transformer(
            keras, (20, 20, 1), 2, patch_size=1, blocks=1, heads=1, head_units=2
        )
    finally:
        keras.mixed_precision.set_global_policy("float32")
    layer = model.get_layer("positions")
    table = np.arange(401 * 2, dtype=np.float32).reshape(401, 2)
    layer.set_weights([table])
    found = keras.Model(model.input, layer.output)(np.ones((1, 20, 20, 1)))
    np.testing.assert_array_equal(found[0], table)


def test_saved_model_needs_nothing_of_ours(keras, tmp_path):
    model = tiny(keras)
    modules = {type(layer).__module__.split(".")[0] for layer in model.layers}
    assert modules == {keras.__name__}
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    images = random_images()
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-6)


def test_width():
    model = tiny(keras3, width=0.5)
    assert tuple(model.get_layer("patches").kernel.shape) == (8, 8, 3, 6)
    assert model.get_layer("block1_fc1").units == 24
    narrowest = tiny(keras3, width=0.01)
    assert narrowest.get_layer("patches").filters == 3
