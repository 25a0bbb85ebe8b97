import math

import numpy as np
import pytest

from tf_rigl.experiments.runs.schedules import Schedule
from tf_rigl.experiments.runs.schedules import keras_schedule
from tf_rigl.experiments.runs.schedules import learning_rate


def rates(schedule, steps):
    return [float(learning_rate(schedule, step)) for step in steps]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("constant", [2, 2, 2, 2]),
        ("linear", [2, 1.5, 1, 0.02]),
        ("cosine", [2, 1 + math.cos(math.pi / 4), 1, 0.000493]),
        ("step", [2, 0.2, 0.02, 0.02]),
    ],
)
def test_kinds(kind, expected):
    schedule = Schedule(kind, 2.0, 100, decay_steps=(25, 50), decay_factor=0.1)
    found = rates(schedule, [0, 25, 50, 99])
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_steps_fall_at_their_step():
    schedule = Schedule("step", 1.0, 100, decay_steps=(25,), decay_factor=0.1)
    np.testing.assert_allclose(rates(schedule, [24, 25]), [1, 0.1], rtol=1e-6)


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine"])
def test_warm_up_rises_to_the_peak(kind):
    schedule = Schedule(kind, 2.0, 100, warmup_steps=4)
    found = rates(schedule, range(5))
    np.testing.assert_allclose(found, [0.5, 1, 1.5, 2, 2], rtol=1e-6)
    assert rates(schedule, [99])[0] <= found[-1]


def test_optimizers_take_it(keras):
    schedule = Schedule("linear", 2.0, 4)
    optimizer = keras.optimizers.SGD(keras_schedule(keras, schedule))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mae")
    before = float(model.get_weights()[1][0])
    model.fit(np.zeros((2, 1)), np.full((2, 1), 9.0), 1, verbose=0)
    # Gradients of -1 at rates of 2 and 1.5.
    assert float(model.get_weights()[1][0]) - before == pytest.approx(3.5)
