import keras as keras3
import numpy as np
import pytest

import tf_rigl
from tests.models import support
from tf_rigl.models import conv


@pytest.mark.parametrize(
    ("depth", "weights", "in_convolutions"),
    [
        (2, 4_300_992, 38_592),
        (4, 2_425_024, 259_776),
        (6, 2_261_184, 1_144_512),
        (8, 5_275_840, 4_683_456),
    ],
)
def test_networks_of_the_paper(depth, weights, in_convolutions):
    model = conv.conv(keras3, depth)
    assert model.name == f"conv_{depth}"
    rows = support.kernels(tf_rigl.profile(model))
    assert len(rows) == depth + 3
    assert sum(row.parameters for row in rows) == weights
    found = sum(row.parameters for row in rows if row.path.startswith("conv"))
    assert found == in_convolutions


def test_layers(keras):
    model = conv.conv(keras, 4, (9, 8, 1), 3, dropout=0.5, width=1 / 32)
    assert [layer.name for layer in model.layers] == [
        *("images", "conv1_1", "conv1_2", "pool1"),
        *("conv2_1", "conv2_2", "pool2", "flatten"),
        *("fc1", "drop1", "fc2", "drop2", "logits"),
    ]
    assert model.get_layer("conv2_2").filters == 4
    images = np.random.default_rng(0).random((2, 9, 8, 1), np.float32)
    assert model(images).shape == (2, 3)


def test_initial_values(keras):
    """Glorot's normal ones, cut off at two deviations; biases are 0."""
    model = conv.conv(keras, 2, width=0.5)
    kernel = np.asarray(model.get_layer("fc1").kernel)
    deviation = np.sqrt(2 / sum(kernel.shape))
    assert kernel.std() == pytest.approx(deviation, rel=0.01)
    assert 2 * deviation < abs(kernel).max() < 2.3 * deviation
    np.testing.assert_array_equal(model.get_layer("fc1").bias, 0)
    uniform = conv.conv(keras, 2, kernel_initializer="glorot_uniform")
    initializer = uniform.get_layer("logits").kernel_initializer
    assert type(initializer).__name__ == "GlorotUniform"
