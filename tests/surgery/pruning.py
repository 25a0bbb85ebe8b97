"""Models that lose channels, compared with zeros in their place."""

import numpy as np

import tf_rigl
from tests import support as training
from tests.surgery import masked_channels
from tests.surgery import support


def left(report):
    return {row.path: row.units_left for row in report.rows if row.units}


def weights_of(model):
    return [np.asarray(weight) for weight in model.get_weights()]


def convnet(keras, names=("first", "second", "out"), normalized=True):
    """Two convolutions of 10 and 8 filters, of random weights."""
    layers = keras.layers
    hidden = []
    for name, filters in zip(names, (10, 8), strict=False):
        hidden.append(layers.Conv2D(filters, 3, padding="same", name=name))
        if normalized:
            hidden.append(layers.BatchNormalization(name=f"{name}_norm"))
        hidden.append(layers.ReLU(name=f"{name}_relu"))
    model = support.chain(
        keras,
        (6, 6, 3),
        *hidden,
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dense(5, name=names[-1]),
    )
    support.randomize(model)
    return model


def prune_alike(model, *arguments, tolerance=1e-5, **options):
    """Prunes a model and compares it to the same model with zeros."""
    before = weights_of(model)
    small, report = tf_rigl.prune_channels(model, *arguments, **options)
    training.assert_all_equal(weights_of(model), before)

    inputs = support.example(model)
    given = support.outputs_of(model, inputs)
    masked_channels.set_to_zero(model, report.masks)
    expected = support.outputs_of(model, inputs)
    np.testing.assert_allclose(
        support.outputs_of(small, inputs),
        expected,
        atol=tolerance * np.abs(expected).max(),
        rtol=0,
    )
    assert np.abs(expected).max() > 1e-3
    assert (expected != given).any()
    assert small.count_params() == report.weights_left
    return small, report


def filters(model, name):
    kernel = np.asarray(model.get_layer(name).kernel, np.float64)
    return kernel.reshape(-1, kernel.shape[-1]).T
