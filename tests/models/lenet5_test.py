import numpy as np
import pytest

import tf_rigl
from tf_rigl.models import lenet5


@pytest.mark.parametrize(
    ("input_shape", "parameters", "macs"),
    [
        ((28, 28), 44_426, 281_640),
        ((28, 28, 1), 44_426, 281_640),
        ((32, 32), 61_706, 416_520),
        ((32, 32, 3), 62_006, 651_720),
    ],
)
def test_sizes(keras, input_shape, parameters, macs):
    model = lenet5.lenet_5(keras, input_shape)
    assert model.count_params() == parameters
    assert tf_rigl.profile(model).macs == macs
    images = 100 * np.ones((3, *input_shape), np.float32)
    logits = np.asarray(model(images))
    assert logits.shape == (3, 10)
    assert (logits < 0).any()


def test_published_small_dense_network(keras):
    """google-research/rigl: 2,399 parameters against 95 % of zeros."""
    model = lenet5.lenet_5(keras, filters=(3, 3), hidden_units=(27, 20))
    assert model.count_params() == 2_399


@pytest.mark.parametrize(
    ("width", "filters", "units"),
    [(1, [6, 16], [120, 84]), (0.5, [3, 8], [60, 42]), (0.01, [1, 1], [1, 10])],
)
def test_width(keras, width, filters, units):
    model = lenet5.lenet_5(keras, width=width)
    found = [model.get_layer(name).filters for name in ("conv1", "conv2")]
    assert found == filters
    assert [model.get_layer(name).units for name in ("fc1", "fc2")] == units
