"""The next generation: an elite, and children of tournaments."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_rigl.core import checks
from tf_rigl.wann import genome as genomes
from tf_rigl.wann import mutation
from tf_rigl.wann import ranking
from tf_rigl.wann.genome import Genome
from tf_rigl.wann.mutation import Innovations
from tf_rigl.wann.tasks.task import Task

# What random numbers are for, as the last part of their seeds.
_START, _CHILD, _RANK, _EPISODES, _CHAMPION = range(5)


@dataclasses.dataclass(frozen=True)
class SearchOptions:
    """Options of a search, named after the article's.

    None stands for what the task's `defaults` have.

    Attributes:
        tournament: genomes that are drawn for each child; the best of them is
            its parent (`select_tournSize`).
        elite: share of the genomes left that go on unchanged
            (`select_eliteRatio`).
        cull: share of a generation, the worst, that has no children
            (`select_cullRatio`).
        by_connections: probability that a generation is ranked by the mean and
            by few connections, and not by the mean and the best weight
            (`alg_probMoo`).
        connect: share of the first connections that are enabled
            (`prob_initEnable`).
        champion_episodes: episodes, the same in all of a search, in which the
            best genome of a generation has to beat the champion.
        crowding: `"range"`, or `"reference"` for the scale of the published
            code; see `ranking.crowding`.
        save_every: generations from one save to the next.

    Raises:
        TypeError: if a number is not an integer.
        ValueError: if a value is out of its range.
    """

    tournament: int | None = None
    elite: float = 0.2
    cull: float = 0.2
    by_connections: float = 0.8
    connect: float | None = None
    champion_episodes: int = 20
    crowding: str = ranking.RANGE
    save_every: int = 1

    def __post_init__(self) -> None:
        for name in ("tournament", "champion_episodes", "save_every"):
            value = getattr(self, name)
            if value is not None:
                checks.check_positive(name, value)
        shares = {
            "elite": "the share of genomes that go on unchanged",
            "cull": "the share of genomes without children",
            "by_connections": "the probability of ranking by connections",
            "connect": "the share of connections at the start",
        }
        for name, meaning in shares.items():
            if getattr(self, name) is not None:
                checks.check_fraction(name, getattr(self, name), meaning)
        checks.check_choice("crowding", self.crowding, ranking.PRESETS)


def fill(options: SearchOptions | None, task: Task) -> SearchOptions:
    """Returns the options with those of the task in place of None."""
    options = options or SearchOptions()
    defaults = task.defaults
    return dataclasses.replace(
        options,
        tournament=options.tournament or defaults.tournament,
        connect=defaults.connect
        if options.connect is None
        else options.connect,
    )


def first_generation(
    task: Task, population: int, seed: int, options: SearchOptions
) -> list[Genome]:
    """Draws the genomes that a search begins with."""
    connect = fill(options, task).connect or 0.0
    return [
        genomes.start(
            task.inputs,
            task.outputs,
            _generator(seed, 0, number, _START),
            connect,
        )
        for number in range(population)
    ]


def next_generation(
    parents: Sequence[Genome],
    means: np.ndarray,
    maxima: np.ndarray,
    innovations: Innovations,
    task: Task,
    seed: int,
    generation: int,
    options: SearchOptions,
) -> list[Genome]:
    """Ranks a generation and breeds the next one.

    The worst `cull` are left out; `elite` of the rest are copied; each further
    child is a mutation of the best of `tournament` genomes, drawn with
    replacement. Random numbers are a function of seed, generation and child.

    Args:
        parents: the genomes.
        means: float [genomes], their mean scores.
        maxima: float [genomes], their scores with the best weight.
        innovations: the numbers of new nodes and connections, which move on.
        task: the task, whose activations children have.
        seed: of the search.
        generation: the number of this generation.
        options: the options of the search.
    """
    options = fill(options, task)
    is_by_connections = (
        _generator(seed, generation, 0, _RANK).random() < options.by_connections
    )
    connections = np.array([one.connections for one in parents])
    order = ranking.order(
        ranking.objectives(means, maxima, connections, is_by_connections),
        options.crowding,
    )
    left = order[: len(order) - int(options.cull * len(order))]
    elite = int(options.elite * len(left))

    children = [parents[place] for place in left[:elite]]
    for number in range(elite, len(parents)):
        generator = _generator(seed, generation, number, _CHILD)
        # The lower the place in the order, the better.
        drawn = generator.integers(len(left), size=options.tournament)
        parent = parents[left[drawn.min()]]
        children.append(
            mutation.mutate(parent, generator, innovations, task.functions)
        )
    return children


def episode_seeds(seed: int, generation: int, episodes: int) -> list[int]:
    """Returns the seeds of the episodes of a generation."""
    return _draw_seeds(_generator(seed, generation, 0, _EPISODES), episodes)


def champion_seeds(seed: int, episodes: int) -> list[int]:
    """Returns the seeds of the episodes that never change in a search."""
    return _draw_seeds(_generator(seed, 0, 0, _CHAMPION), episodes)


def _draw_seeds(generator: np.random.Generator, episodes: int) -> list[int]:
    return generator.integers(2**31, size=episodes).tolist()


def _generator(
    seed: int, generation: int, child: int, what: int
) -> np.random.Generator:
    return np.random.default_rng([seed, generation, child, what])
