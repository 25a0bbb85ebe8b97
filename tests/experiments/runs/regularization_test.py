import numpy as np
import pytest

import tf_rigl
from tf_rigl.experiments.runs.regularization import add_weight_decay
from tf_rigl.models import registry


@pytest.mark.parametrize(
    ("name", "kernels"), [("lenet_5", 5), ("character_gru", 5)]
)
def test_loss_gains_half_the_squares_of_kernels(keras, name, kernels):
    model = registry.builder(name)(keras, width=0.1)
    tf_rigl.sparsify(model, 0.5)
    add_weight_decay(model, 0.25)
    squares = [
        np.sum(np.square(variable.numpy()))
        for variable in model.trainable_variables
        if "kernel" in variable.name
    ]
    assert len(squares) == kernels
    found = sum(float(loss) for loss in model.losses)
    assert found == pytest.approx(0.125 * sum(squares), rel=1e-5)


def test_gradient_is_strength_times_the_weight(keras):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, use_bias=False)]
    )
    add_weight_decay(model, 0.5)
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = model.get_weights()[0]
    model.fit(np.zeros((1, 3)), np.zeros((1, 2)), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], before / 2, rtol=1e-6)


def test_none_adds_none(keras):
    model = registry.builder("lenet_5")(keras, width=0.1)
    add_weight_decay(model, 0.0)
    assert not model.losses
