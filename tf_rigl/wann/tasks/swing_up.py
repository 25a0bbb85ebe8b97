"""Swing-up: a cart that swings a pole up and balances it.

The equations of motion of the published code, in NumPy for all networks and
episodes at once.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any
from typing import ClassVar

import numpy as np

from tf_rigl.core import checks
from tf_rigl.wann.networks import Networks
from tf_rigl.wann.tasks.task import Defaults
from tf_rigl.wann.tasks.task import Task

GRAVITY = 9.82  # m/s²
CART = POLE = 0.5  # kg
LENGTH = 0.6  # of the pole, in meters
FRICTION = 0.1  # N s/m, of the cart
FORCE = 10.0  # N, at an action of 1
SECONDS = 0.01  # of a step
EDGE = 2.4  # meters from the middle to either end of the track
_MASS = CART + POLE
_SPREAD = 0.2  # standard deviation of all four values at the beginning
# Steps after which networks whose episodes have all ended are left out.
_CHECK_EVERY = 50


@dataclasses.dataclass(frozen=True)
class SwingUp(Task):
    """Swings a pole up on a cart and keeps it there, for at most ten seconds.

    A network sees the place and the speed of the cart, cosine and sine of the
    pole's angle, and its angular speed. Its output, clipped to [−1, 1], is the
    force in units of 10 N. Each step is worth up to 1: ½ (1 + cos θ) of the
    angle θ from upright, times cos(πx / 4.8) of the place x. An episode ends at
    an end of the track.

    Args:
        steps: the length of an episode, each step of 0.01 s.
    """

    steps: int = 1000

    inputs = 5
    outputs = 1
    defaults: ClassVar[Defaults] = Defaults(192, 1024, 8, 3)
    group_size = 48

    def __post_init__(self) -> None:
        checks.check_positive("steps", self.steps)

    def settings(self) -> dict[str, Any]:
        """Returns the length of an episode."""
        return {"steps": self.steps}

    def evaluate(self, networks: Networks, seeds: Sequence[int]) -> np.ndarray:
        """Returns the sums of rewards, of at most 1 a step."""
        shape = *networks.shape, len(seeds)
        scores = np.zeros(shape)
        state = np.broadcast_to(begin(seeds)[:, None, None], (4, *shape)).copy()
        running = np.ones(shape, bool)
        places = np.arange(shape[0])

        for number in range(1, self.steps + 1):
            actions = networks(observe(state))[0]
            state = step(state, np.nan_to_num(actions))
            scores[places] += np.where(running, reward(state), 0.0)
            running &= np.abs(state[0]) <= EDGE

            if number % _CHECK_EVERY == 0:
                left = running.any(axis=(1, 2))
                if not left.any():
                    break
                if not left.all():
                    networks = networks.take(np.flatnonzero(left))
                    state, running = state[:, left], running[left]
                    places = places[left]
        return scores


def begin(seeds: Sequence[int]) -> np.ndarray:
    """Returns states, float64 [4, episodes]: the pole hangs, almost still.

    They are the cart's place (m) and speed (m/s), the pole's angle from
    upright (rad) and its speed (rad/s).
    """
    drawn = [
        np.random.default_rng(seed).normal((0.0, 0.0, np.pi, 0.0), _SPREAD)
        for seed in seeds
    ]
    return np.stack(drawn, axis=1)


def observe(state: np.ndarray) -> np.ndarray:
    """Returns what a network sees of states [4, ...], float64 [5, ...]."""
    place, speed, angle, turn = state
    return np.stack([place, speed, np.cos(angle), np.sin(angle), turn])


def step(state: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Returns the states after a step, with any clipped actions."""
    place, speed, angle, turn = state
    force = FORCE * np.clip(actions, -1, 1)
    sine, cosine = np.sin(angle), np.cos(angle)
    push = force - FRICTION * speed

    whirl = POLE * LENGTH * turn * turn * sine
    divisor = 4 * _MASS - 3 * POLE * cosine * cosine
    forward = (-2 * whirl + 3 * POLE * GRAVITY * sine * cosine + 4 * push) / (
        divisor
    )
    around = (
        -3 * whirl * cosine + 6 * _MASS * GRAVITY * sine + 6 * push * cosine
    ) / (LENGTH * divisor)
    # Places move with the speeds of before the step.
    return np.stack(
        [
            place + speed * SECONDS,
            speed + forward * SECONDS,
            angle + turn * SECONDS,
            turn + around * SECONDS,
        ]
    )


def reward(state: np.ndarray) -> np.ndarray:
    """Returns what states are worth, 1 upright in the middle."""
    place, _, angle, _ = state
    return 0.5 * (np.cos(angle) + 1) * np.cos(np.pi / 2 * place / EDGE)
