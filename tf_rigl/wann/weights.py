"""Choosing shared weights for a topology: the best one, or several at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tf_rigl.core import checks
from tf_rigl.wann import breeding
from tf_rigl.wann import scoring
from tf_rigl.wann.genome import Genome
from tf_rigl.wann.networks import Networks
from tf_rigl.wann.tasks.task import Task

# The weights that are tried by default: those of the article's range.
_SCAN = tuple(np.linspace(-2, 2, 41).round(10).tolist())


class BestWeight(NamedTuple):
    """The best shared weight, and what others were worth."""

    weight: float
    score: float  # its mean over the episodes
    weights: tuple[float, ...]
    scores: tuple[float, ...]  # mean over the episodes for each weight


def best_weight(
    genome: Genome,
    task: Task,
    weights: Sequence[float] | None = None,
    *,
    episodes: int = 20,
    seed: int = 0,
) -> BestWeight:
    """Finds the shared weight with which a network does best.

    Args:
        genome: the network, such as `result.best`.
        task: what it is to do.
        weights: the weights to try; from −2 to 2 in steps of 0.1 by default.
        episodes: for each weight; the same for all.
        seed: of the episodes.

    Raises:
        ValueError: if there is no weight to try.
    """
    checks.check_positive("episodes", episodes)
    weights = _SCAN if weights is None else weights
    if not len(weights):
        raise ValueError(
            "`weights` must have at least one weight to try. "
            f"Received: weights={weights!r}."
        )
    seeds = breeding.champion_seeds(seed, episodes)
    scores = scoring.score(task, [genome], weights, seeds)[0].mean(axis=1)
    best = int(scores.argmax())
    return BestWeight(
        float(weights[best]),
        float(scores[best]),
        tuple(map(float, weights)),
        tuple(scores.tolist()),
    )


class Ensemble:
    """Networks of one topology with several shared weights, which vote.

    Args:
        genome: a network that classifies, by its largest output.
        weights: the shared weights, each of which has a vote.
    """

    def __init__(self, genome: Genome, weights: Sequence[float]) -> None:
        if not len(weights):
            raise ValueError(
                "`weights` must have at least one weight, as each has a vote. "
                f"Received: weights={weights!r}."
            )
        self._outputs = genome.outputs
        self._networks = Networks([genome], weights)

    def votes(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the number of votes, int64 [batch, outputs].

        Args:
            inputs: float [batch, inputs].
        """
        outputs = self._networks(np.asarray(inputs).T[:, None, None])
        chosen = outputs[:, 0].argmax(axis=0)
        return np.stack(
            [np.sum(chosen == label, axis=0) for label in range(self._outputs)],
            axis=1,
        )

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the label with the most votes, int64 [batch].

        Of several with as many votes, the first.
        """
        return self.votes(inputs).argmax(axis=1)


def ensemble(genome: Genome, weights: Sequence[float]) -> Ensemble:
    """Makes an ensemble of one network with several shared weights.

    Args:
        genome: a network that classifies, by its largest output.
        weights: the shared weights, each of which has a vote, such as the best
            ones of `best_weight`.

    Returns:
        A function from float [batch, inputs] to labels, int64 [batch].

    Raises:
        ValueError: if there is no weight.
    """
    return Ensemble(genome, weights)
