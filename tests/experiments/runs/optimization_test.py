import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_rigl
from tests.experiments.runs.support import tiny
from tf_rigl.experiments.runs import optimization
from tf_rigl.models import registry


def rates(schedule, steps):
    return [float(optimization.learning_rate(schedule, step)) for step in steps]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("constant", [2, 2, 2, 2, 2]),
        ("linear", [2, 1.52, 1.5, 1, 0.02]),
        ("cosine", [2, 1.728969, 1 + math.sqrt(0.5), 1, 0.000493]),
        ("step", [2, 2, 0.2, 0.02, 0.02]),
    ],
)
def test_kinds(kind, expected):
    schedule = optimization.RateSchedule(
        kind, 2.0, 100, decay_steps=(25, 50), decay_factor=0.1
    )
    found = rates(schedule, [0, 24, 25, 50, 99])
    np.testing.assert_allclose(found, expected, rtol=1e-3)


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
def test_warm_up_rises_to_the_peak(kind):
    schedule = optimization.RateSchedule(kind, 2.0, 100, warmup_steps=4)
    found = rates(schedule, range(5))
    np.testing.assert_allclose(found, [0.5, 1, 1.5, 2, 2], rtol=1e-6)
    assert rates(schedule, [99])[0] <= found[-1]


def test_optimizers_take_it(keras):
    schedule = optimization.RateSchedule("linear", 2.0, 4)
    optimizer = keras.optimizers.SGD(
        optimization.keras_schedule(keras, schedule)
    )
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mae")
    before = float(model.get_weights()[1][0])
    model.fit(np.zeros((2, 1)), np.full((2, 1), 9.0), 1, verbose=0)
    # Gradients of -1 at rates of 2 and 1.5.
    assert float(model.get_weights()[1][0]) - before == pytest.approx(3.5)


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
    optimizer = optimization.make_optimizer(keras, settings, 1.0)
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
        config = optimization.make_optimizer(keras, settings, 0.1).get_config()
        assert config["global_clipnorm"] == expected


@pytest.mark.parametrize(
    ("name", "kernels"), [("lenet_5", 5), ("character_gru", 5)]
)
def test_loss_gains_half_the_squares_of_kernels(keras, name, kernels):
    model = registry.builder(name)(keras, width=0.1)
    embeddings = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Embedding)
    ]
    tf_rigl.sparsify(model, 0.5, dense=embeddings)
    optimization.add_weight_decay(model, 0.25)
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
    optimization.add_weight_decay(model, 0.5)
    model.compile(keras.optimizers.SGD(1.0), "mse")
    before = model.get_weights()[0]
    model.fit(np.zeros((1, 3)), np.zeros((1, 2)), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], before / 2, rtol=1e-6)


def test_none_adds_none(keras):
    model = registry.builder("lenet_5")(keras, width=0.1)
    optimization.add_weight_decay(model, 0.0)
    assert not model.losses


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_factors_decay_unless_their_product_does(decay):
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(30)])
    tf_rigl.factorize(model, ranks=4, frobenius_decay=decay)
    factors = [weight.numpy() for weight in model.weights[:2]]
    optimization.add_weight_decay(model, 0.25)
    expected = sum(0.25 * np.sum(one**2) / 2 for one in factors)
    found = sum(map(float, model.losses)) if model.losses else 0.0
    assert found == pytest.approx(0 if decay else expected, rel=1e-5)
