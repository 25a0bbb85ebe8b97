import numpy as np
import pytest
import tensorflow as tf

from tests.experiments.runs.support import tiny
from tf_rigl.experiments.runs.optimizers import make_optimizer


@pytest.mark.parametrize(
    ("clip_norm", "expected"),
    [
        (0.0, [30, 40, 120]),
        # The norm over both weights is 130; one by one they are 50 and 120.
        (13.0, [3, 4, 12]),
        (200.0, [30, 40, 120]),
    ],
)
def test_gradients_are_shortened_together(keras, clip_norm, expected):
    settings = tiny(optimizer="sgd", momentum=0.0, clip_norm=clip_norm)
    optimizer = make_optimizer(keras, settings, 1.0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.set_weights([np.zeros((2, 1)), np.zeros(1)])
    gradients = [tf.constant([[30.0], [40.0]]), tf.constant([120.0])]
    optimizer.apply_gradients(
        zip(gradients, model.trainable_variables, strict=True)
    )
    moved = np.concatenate([-one.ravel() for one in model.get_weights()])
    np.testing.assert_allclose(moved, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_each_optimizer_takes_the_norm(keras, name):
    for clip_norm, expected in ((0.0, None), (10.0, 10.0)):
        settings = tiny(optimizer=name, clip_norm=clip_norm)
        config = make_optimizer(keras, settings, 0.1).get_config()
        assert config["global_clipnorm"] == expected
