"""LocallyConnected layers, which only tf_keras has."""

import numpy as np
import pytest

import tf_rigl
from tests import support
from tf_rigl.masking.layer_rules import kernel_layout

tf_keras = pytest.importorskip("tf_keras")
layers = tf_keras.layers

# Class, arguments, shape of the input; the view of each implementation.
CASES = [
    (
        layers.LocallyConnected1D,
        (4, 2),
        (5, 3),
        {1: (4, 6, 4), 2: (1, 15, 16), 3: (1, 96, 1)},
    ),
    (
        layers.LocallyConnected2D,
        (3, (2, 2)),
        (3, 4, 2),
        {1: (6, 8, 3), 2: (1, 24, 18), 3: (1, 144, 1)},
    ),
]
every = pytest.mark.parametrize(("make", "arguments", "shape", "views"), CASES)


def build(make, arguments, shape, implementation=1, **options):
    local = make(*arguments, implementation=implementation, **options)
    model = tf_keras.Sequential(
        [
            tf_keras.Input(shape),
            local,
            layers.Flatten(),
            layers.Dense(3, name="head"),
        ]
    )
    return model, local


@pytest.mark.parametrize("implementation", [1, 2, 3])
@every
def test_viewed_masked_trained_and_stripped(
    make, arguments, shape, views, implementation
):
    model, local = build(make, arguments, shape, implementation)
    layout = kernel_layout(local, local.kernel)
    assert layout.shape == views[implementation]
    tf_rigl.sparsify(model, 0.5, "uniform", dense=[local.bias])
    size = local.kernel.numpy().size
    model.compile("sgd", support.crossentropy(tf_keras))
    data = support.make_data(shape)
    support.fit(model, data, tf_rigl.RigL(9, 2))

    masks = tf_rigl.masks(model)
    (mask,) = (mask for path, mask in masks.items() if "head" not in path)
    assert mask.sum() == size - size // 2
    assert support.moved(model)
    assert not local.kernel.numpy()[~mask].any()
    expected = model.predict(data[0], verbose=0)
    plain = tf_rigl.strip(model)
    np.testing.assert_array_equal(plain.predict(data[0], verbose=0), expected)


@every
def test_each_connection_multiplies_once(make, arguments, shape, views):
    del views
    model, local = build(make, arguments, shape, use_bias=False)
    dense = tf_rigl.profile(model)
    row = dense.rows[0]
    assert row.macs == local.kernel.numpy().size
    tf_rigl.sparsify(model, 0.75, "uniform")
    sparse = tf_rigl.profile(model)
    assert sparse.uncounted == ()
    assert sparse.dense_macs == dense.macs
    assert sparse.rows[0].macs == np.count_nonzero(local.kernel.numpy())


def test_shrink_leaves_their_channels():
    model, local = build(layers.LocallyConnected1D, (4, 2), (5, 3))
    tf_rigl.sparsify(model, 0.5, dense=[local.bias])
    data, _ = support.make_data((5, 3))
    expected = model.predict(data, verbose=0)
    small = tf_rigl.shrink(model)
    np.testing.assert_allclose(
        getattr(small, "model", small).predict(data, verbose=0),
        expected,
        rtol=1e-5,
        atol=1e-6,
    )
