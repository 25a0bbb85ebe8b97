import math

import numpy as np
import pytest

from tests.wann import evolved
from tf_rigl.wann import networks
from tf_rigl.wann import scoring
from tf_rigl.wann.tasks import swing_up


def energy(state):
    """Kinetic and potential, of a cart and a rod that hangs on it.

    The rod's middle is at x − ½ l sin θ, ½ l cos θ.
    """
    _, speed, angle, turn = state
    mass, length = swing_up.POLE, swing_up.LENGTH
    across = speed - length / 2 * turn * np.cos(angle)
    upward = -length / 2 * turn * np.sin(angle)
    spin = mass * length**2 / 12 * turn**2
    moving = swing_up.CART * speed**2 + mass * (across**2 + upward**2) + spin
    return moving / 2 + mass * swing_up.GRAVITY * length / 2 * np.cos(angle)


def test_energy_is_kept_without_friction(monkeypatch):
    monkeypatch.setattr(swing_up, "FRICTION", 0.0)
    state = np.random.default_rng(0).normal(size=(4, 6))
    before = energy(state)
    errors = []
    for steps in (1000, 2000):
        monkeypatch.setattr(swing_up, "SECONDS", 0.5 / steps)
        moved = state
        for _ in range(steps):
            moved = swing_up.step(moved, np.zeros(6))
        errors.append(np.abs(energy(moved) - before).max())
    assert errors[0] < 0.02
    # Euler's method is of first order: half the step, half the error.
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.1)


def test_friction_takes_energy_and_a_push_gives_it():
    state = np.array([[0.0], [1.0], [math.pi], [0.0]])
    kept = energy(state)
    assert energy(swing_up.step(state, np.zeros(1))) < kept
    assert energy(swing_up.step(state, np.ones(1))) > kept


def test_still_at_both_ends():
    for angle in (0.0, math.pi):
        state = np.array([[0.5], [0.0], [angle], [0.0]])
        moved = swing_up.step(state, np.zeros(1))
        np.testing.assert_allclose(moved, state, atol=1e-15)


def test_actions_are_clipped():
    state = np.random.default_rng(0).normal(size=(4, 3))
    np.testing.assert_array_equal(
        swing_up.step(state, np.full(3, 7.0)),
        swing_up.step(state, np.ones(3)),
    )


def test_rewards():
    upright, hanging, edge = [0, 0, 0, 0], [0, 0, np.pi, 0], [2.4, 0, 0, 0]
    rewards = swing_up.reward(np.array([upright, hanging, edge], float).T)
    np.testing.assert_allclose(rewards, [1.0, 0.0, 0.0], atol=1e-15)


def run_by_scalars(genome, weight, seed, steps):
    """The published equations in plain Python, one episode."""
    x, v, a, w = np.random.default_rng(seed).normal([0, 0, math.pi, 0], 0.2)
    m, length, g, b = 0.5, 0.6, 9.82, 0.1
    total = 0.0
    for _ in range(steps):
        seen = [x, v, math.cos(a), math.sin(a), w]
        (action,) = evolved.oracle(genome, seen, weight)
        f = 10 * max(-1.0, min(1.0, action))
        s, c = math.sin(a), math.cos(a)
        forward = (
            -2 * m * length * w**2 * s + 3 * m * g * s * c + 4 * f - 4 * b * v
        ) / (4 * 1.0 - 3 * m * c**2)
        around = (
            -3 * m * length * w**2 * s * c
            + 6 * 1.0 * g * s
            + 6 * (f - b * v) * c
        ) / (4 * length * 1.0 - 3 * m * length * c**2)
        x, v, a, w = (
            x + 0.01 * v,
            v + 0.01 * forward,
            a + 0.01 * w,
            w + 0.01 * around,
        )
        total += (math.cos(a) + 1) / 2 * math.cos(math.pi * x / 4.8)
        if abs(x) > 2.4:
            break
    return total


def test_equals_an_oracle_of_scalars():
    """Some of the episodes end at an end of the track."""
    group = [evolved.evolve(5, 1, steps=n, seed=n) for n in (3, 10, 20)]
    weights, seeds, steps = [-2.0, 1.5], [4, 5], 160
    task = swing_up.SwingUp(steps=steps)
    found = scoring.score(task, group, weights, seeds)
    expected = [
        [
            [run_by_scalars(one, w, seed, steps) for seed in seeds]
            for w in weights
        ]
        for one in group
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    full = scoring.score(
        swing_up.SwingUp(steps=2 * steps), group, weights, seeds
    )
    assert np.any(full == found) and np.any(full != found)


def test_networks_that_have_ended_are_left_out():
    """With the same scores as those that nothing is left out beside."""
    group = [evolved.evolve(5, 1, steps=n, seed=n) for n in (3, 10, 20)]
    task = swing_up.SwingUp(steps=200)
    together = scoring.score(task, group, [2.0], [1, 2])
    for place, one in enumerate(group):
        alone = scoring.score(task, [one], [2.0], [1, 2])
        np.testing.assert_allclose(alone[0], together[place], rtol=1e-6)


def test_the_beginning():
    states = swing_up.begin(range(500))
    np.testing.assert_allclose(states.mean(axis=1), [0, 0, np.pi, 0], atol=0.04)
    np.testing.assert_allclose(states.std(axis=1), 0.2, atol=0.03)
    np.testing.assert_array_equal(swing_up.begin([3])[:, 0], states[:, 3])


def test_a_network_gone_wild_is_still():
    """Outputs that are no number, for which any force would be wrong."""
    one = evolved.evolve(5, 1, steps=3, seed=0)
    wild = networks.Networks([one], [float("nan")])
    found = swing_up.SwingUp(steps=5).evaluate(wild, [1])
    assert np.all(np.isfinite(found))


def test_steps_are_checked():
    with pytest.raises(ValueError, match="`steps` must be at least 1"):
        swing_up.SwingUp(steps=0)
