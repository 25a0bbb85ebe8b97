"""`prune(preset="reference")`: the threshold of network slimming's code."""

import numpy as np
import pytest

import tf_rigl
from tests import support
from tests.updating import scale_masks_test
from tf_rigl.masking.masked_weight import masked_weights


@pytest.mark.parametrize(
    ("sparsity", "left"),
    [
        # Sorted, the value at ⌊p n⌋ goes, with all that equal it.
        (0.25, [[0, 1, 2, 3], [], [0, 1, 2, 3, 4, 5, 7, 8, 9]]),
        (0.3, [[0, 1, 2, 3], [1], [0, 1, 2, 3, 4, 7, 8, 9]]),
        (0.4, [[2, 3], [1], [0, 3, 7, 8, 9]]),
    ],
)
def test_threshold_of_the_reference(sparsity, left):
    keras = support.fresh_keras("keras")
    model = scale_masks_test.make_model(keras, sparsity=sparsity)
    before = scale_masks_test.kept(model)
    if not all(left):
        with pytest.raises(ValueError, match=r"\['normal1/gamma'\], which"):
            tf_rigl.prune(model, scope="global", preset="reference")
        assert scale_masks_test.kept(model) == before
        return
    model.get_layer("normal1").gamma.assign([0.1, 2, 0.1, 0.1, 0.1, 0.1])
    tf_rigl.prune(model, scope="global", preset="reference")
    assert scale_masks_test.kept(model) == left
    assert [one.target for one in masked_weights(model)] == [
        len(one) for one in left
    ]


@pytest.mark.parametrize(
    ("preset", "left"),
    [
        ("reference", 1651),
        pytest.param(None, 1652, marks=pytest.mark.slow),
    ],
)
def test_vgg_19_at_70_percent(preset, left):
    """★ Of 5,504 channels the reference keeps 1,651, one less than ours."""
    keras = support.fresh_keras("keras")
    widths = [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8
    inputs = [keras.Input((width,)) for width in widths]
    layers = [keras.layers.BatchNormalization() for _ in widths]
    outputs = [layer(one) for layer, one in zip(layers, inputs, strict=True)]
    model = keras.Model(inputs, outputs)
    tf_rigl.sparsify(model, 0.7, weights="scales", start="dense")

    values = np.random.default_rng(0).permutation(5504).astype("float32") + 1
    parts = np.split(values, np.cumsum(widths)[:-1])
    for layer, part in zip(layers, parts, strict=True):
        layer.gamma.assign(part)
    tf_rigl.prune(model, scope="global", preset=preset)
    found = np.concatenate([layer.gamma.numpy() for layer in layers])
    np.testing.assert_array_equal(
        np.sort(found)[-left:], np.sort(values)[-left:]
    )
    assert np.count_nonzero(found) == left


@pytest.mark.parametrize(
    ("weights", "arguments", "message"),
    [
        ("scales", {}, "prunes the scales of all layers"),
        ("kernels", {"scope": "global"}, "prunes the scales of all layers"),
        ("scales", {"criterion": "random", "scope": "global"}, "'random'"),
        ("scales", {"preset": "theirs"}, "preset='theirs'"),
    ],
)
def test_wrong_presets(weights, arguments, message):
    keras = support.fresh_keras("keras")
    model = scale_masks_test.make_model(keras, sparsity=0.5, weights=weights)
    with pytest.raises(ValueError, match=message):
        tf_rigl.prune(model, **{"preset": "reference", **arguments})
