"""Large layers are cut without random values, and are like others after."""

import numpy as np

from tests import support as training
from tests.surgery import support
from tests.surgery.shrink_test import close
from tf_rigl.surgery.shrink import shrink


def network(keras):
    """2 · 1,100 · 1,000 weights, of which units are dead, and a whole layer."""
    layers = keras.layers
    options = {"kernel_initializer": keras.initializers.HeNormal()}
    model = support.chain(
        keras,
        (1100,),
        layers.Dense(1000, "relu", name="a", **options),
        layers.Dense(1100, name="b", kernel_initializer="he_uniform"),
        layers.LayerNormalization(),
        layers.Dense(1000, name="c"),
        layers.Dense(3, name="out"),
    )
    support.randomize(model)
    support.erase(model.get_layer("a"), range(0, 1000, 3), "units", bias=True)
    return model


@training.one_keras("keras")
def test_large_layers(keras):
    model = network(keras)
    inputs = support.example(model)
    expected = support.outputs_of(model, inputs)
    small, report = shrink(model)
    close(support.outputs_of(small, inputs), expected, 1e-5)
    # 334 of 1,000 are dead.
    assert report.weights - report.weights_left == 334 * (1101 + 1100)
    for name in ("a", "b", "c"):
        configs = [one.get_layer(name).get_config() for one in (model, small)]
        first, second = (one["kernel_initializer"] for one in configs)
        assert first["class_name"] == second["class_name"]
        assert "Zeros" not in first["class_name"]

    # What is the same is shared only until one of the models changes.
    before = [np.array(weight) for weight in model.get_weights()]
    small.compile("sgd", "mse")
    small.train_on_batch(inputs, np.zeros((3, 3)))
    training.assert_all_equal(model.get_weights(), before)
    close(support.outputs_of(model, inputs), expected, 1e-7)
    changed = support.outputs_of(small, inputs)
    assert np.abs(changed - expected).max() > 1e-3
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    close(support.outputs_of(small, inputs), changed, 1e-7)
