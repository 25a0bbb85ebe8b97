"""Tuning of single weights by an evolution strategy.

The strategy is sep-CMA-ES: a normal distribution with a variance of its own for
each weight, which moves to the better half of its samples. Reference: Ros and
Hansen, A Simple Modification in CMA-ES Achieving Linear Time and Space
Complexity, PPSN 2008.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tf_rigl.core import checks
from tf_rigl.wann import breeding
from tf_rigl.wann import scoring
from tf_rigl.wann.genome import Genome
from tf_rigl.wann.tasks.task import Task

_CHOSEN_BY = 20  # episodes
_FEWEST_SAMPLES = 32


class Tuned(NamedTuple):
    """A genome with tuned weights of its own."""

    genome: Genome
    score: float  # its mean over episodes that no iteration has seen
    before: float  # that of the weights that tuning began with
    history: tuple[float, ...]  # the mean score of each iteration's samples


def tune(
    genome: Genome,
    task: Task,
    weight: float | None = 1.0,
    *,
    iterations: int = 100,
    samples: int | None = None,
    spread: float = 0.1,
    episodes: int = 6,
    seed: int = 0,
    workers: int = 1,
    on_iteration: Callable[[int, float], object] | None = None,
) -> Tuned:
    """Tunes each weight of a network by itself, without gradients.

    Of the weights at the beginning, the distribution's last mean and the best
    sample of each tenth of the iterations, the best over 20 further episodes is
    returned. To tune by gradients, train the model of `to_keras`.

    Args:
        genome: the network, such as `result.best`.
        task: what it is to do.
        weight: the shared weight to begin with, such as that of `best_weight`;
            None for the genome's own weights.
        iterations: steps of the strategy.
        samples: weights that are tried in each; 4 + 3 ln n for n connections by
            default, as is usual, and at least 32, as scores differ by episode.
        spread: standard deviation at the beginning. A large network that was
            found with shared weights may bear a small one alone.
        episodes: for each sample; others in each iteration.
        seed: of all random numbers.
        workers: processes that evaluate; see `search`.
        on_iteration: called with the number of each iteration, from 1, and the
            mean score of its samples.

    Raises:
        TypeError: if a number is not an integer.
        ValueError: if a number is out of its range, or the network has no
            connection.
    """
    checks.check_positive("iterations", iterations)
    checks.check_positive("episodes", episodes)
    checks.check_positive("workers", workers)
    checks.check_above_zero("spread", spread)
    used = np.flatnonzero(genome.enabled)
    if not len(used):
        raise ValueError(
            "A network without connections has no weights to tune. Received: "
            f"{genome}."
        )
    count = samples or max(_FEWEST_SAMPLES, 4 + int(3 * math.log(len(used))))
    checks.check_at_least("samples", count, 4)

    start = genome.weights[used]
    if weight is not None:
        start = np.full(len(used), float(weight))
    strategy = _Strategy(start, spread, count)
    candidates = [start]
    history = []
    with scoring.scorer(task, workers) as find:

        def score(values: np.ndarray, seeds: list[int]) -> np.ndarray:
            group = [_with(genome, used, one) for one in values]
            return find(group, None, seeds).mean(axis=(1, 2))

        for number in range(iterations):
            generator = np.random.default_rng([seed, number])
            tried = strategy.sample(generator)
            scores = score(
                tried, breeding.episode_seeds(seed, number, episodes)
            )
            strategy.move(tried, scores)
            if number % max(1, iterations // 10) == 0:
                candidates.append(tried[scores.argmax()])
            history.append(float(scores.mean()))
            if on_iteration is not None:
                on_iteration(number + 1, history[-1])

        candidates.append(strategy.mean)
        seeds = breeding.champion_seeds(seed, _CHOSEN_BY)
        found = score(np.stack(candidates), seeds)
    best = int(found.argmax())
    return Tuned(
        _with(genome, used, candidates[best]),
        float(found[best]),
        float(found[0]),
        tuple(history),
    )


def _with(genome: Genome, used: np.ndarray, values: np.ndarray) -> Genome:
    weights = genome.weights.copy()
    weights[used] = values
    return genome.replace(weights=weights)


@dataclasses.dataclass
class _Strategy:
    """The distribution, and the paths that it has gone.

    Attributes:
        mean: float [weights].
        sigma: the size of a step, over all weights.
        samples: those of an iteration.
    """

    mean: np.ndarray
    sigma: float
    samples: int

    def __post_init__(self) -> None:
        count = len(self.mean)
        self._variances = np.ones(count)
        self._path = np.zeros(count)
        self._path_of_sigma = np.zeros(count)
        self._iteration = 0

        # The better half counts, the best sample the most.
        half = self.samples // 2
        shares = math.log(half + 0.5) - np.log(np.arange(1, half + 1))
        self._shares = shares / shares.sum()
        mass = float(1 / np.sum(self._shares**2))
        self._mass = mass

        # The rates of the method; those of variances are faster than for full
        # covariances, by (n + 2) / 3.
        self._rate_of_sigma = (mass + 2) / (count + mass + 5)
        self._damping = (
            1
            + 2 * max(0.0, math.sqrt((mass - 1) / (count + 1)) - 1)
            + self._rate_of_sigma
        )
        self._rate_of_path = (4 + mass / count) / (count + 4 + 2 * mass / count)
        faster = (count + 2) / 3
        one = 2 / ((count + 1.3) ** 2 + mass)
        many = 2 * (mass - 2 + 1 / mass) / ((count + 2) ** 2 + mass)
        self._rate_of_one = min(1.0, faster * one)
        self._rate_of_many = min(1 - self._rate_of_one, faster * many)
        # The mean length of a normal vector.
        self._length = math.sqrt(count) * (
            1 - 1 / (4 * count) + 1 / (21 * count**2)
        )

    def sample(self, generator: np.random.Generator) -> np.ndarray:
        """Draws float64 [samples, weights]."""
        drawn = generator.normal(size=(self.samples, len(self.mean)))
        return self.mean + self.sigma * np.sqrt(self._variances) * drawn

    def move(self, tried: np.ndarray, scores: np.ndarray) -> None:
        """Moves to the better half; larger scores are better."""
        self._iteration += 1
        best = np.argsort(-scores, kind="stable")[: len(self._shares)]
        steps = (tried[best] - self.mean) / self.sigma
        step = self._shares @ steps
        self.mean = self.mean + self.sigma * step

        rate = self._rate_of_sigma
        self._path_of_sigma = (1 - rate) * self._path_of_sigma + math.sqrt(
            rate * (2 - rate) * self._mass
        ) * step / np.sqrt(self._variances)
        norm = float(np.linalg.norm(self._path_of_sigma))
        # Long steps that are only due to sigma do not count as a direction.
        settled = norm / math.sqrt(1 - (1 - rate) ** (2 * self._iteration))
        is_short = settled < (1.4 + 2 / (len(self.mean) + 1)) * self._length

        rate = self._rate_of_path
        self._path = (1 - rate) * self._path
        if is_short:
            self._path = self._path + step * math.sqrt(
                rate * (2 - rate) * self._mass
            )
        kept = 1 - self._rate_of_one - self._rate_of_many
        self._variances = (
            kept * self._variances
            + self._rate_of_one * self._path**2
            + self._rate_of_many * (self._shares @ steps**2)
        )
        self.sigma *= math.exp(
            self._rate_of_sigma / self._damping * (norm / self._length - 1)
        )
