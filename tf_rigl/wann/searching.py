"""The search: generation after generation, resumable at any point."""

import contextlib
import dataclasses
import os
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tf_rigl.core import checks
from tf_rigl.wann import activations
from tf_rigl.wann import breeding
from tf_rigl.wann import ranking
from tf_rigl.wann import scoring
from tf_rigl.wann.breeding import SearchOptions
from tf_rigl.wann.genome import Genome
from tf_rigl.wann.mutation import Innovations
from tf_rigl.wann.search_result import FrontMember
from tf_rigl.wann.search_result import GenerationRecord
from tf_rigl.wann.search_result import SearchResult
from tf_rigl.wann.search_state import SearchState
from tf_rigl.wann.tasks.task import Task

if TYPE_CHECKING:
    from tf_rigl.wann.search_folder import SearchFolder

# The article's values of the weight that all connections share.
SHARED_WEIGHTS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)


def search(
    task: Task,
    population: int | None = None,
    generations: int | None = None,
    seed: int = 0,
    *,
    shared_weights: Sequence[float] = SHARED_WEIGHTS,
    episodes: int | None = None,
    workers: int = 1,
    folder: str | os.PathLike[str] | None = None,
    options: SearchOptions | None = None,
    on_generation: Callable[[GenerationRecord], object] | None = None,
) -> SearchResult:
    """Searches for a topology that solves a task with any shared weight.

    Each generation is evaluated with every shared weight, in episodes that are
    the same for all of it, ranked by non-dominated sorting, and bred by
    mutations of its topology. No weight is ever trained.

    The same arguments give the same result bit for bit on one machine, with
    any number of workers, and also if the process was killed and the call is
    repeated with the same `folder`. More generations go on from there.

    Args:
        task: such as `SwingUp()`, or an object of your own class of `Task`.
        population: genomes in a generation, at least 2; by default this and
            the next are what the article has for the task.
        generations: how many, those of earlier calls included.
        seed: of all random numbers, at least 0.
        shared_weights: the weights that all connections share in turn.
        episodes: for each genome and weight in a generation; by default the
            article's for the task.
        workers: processes that evaluate. With more than 1 a script needs `if
            __name__ == "__main__":` around what it does.
        folder: a local folder that the search is saved in and resumed from;
            None to save nothing.
        options: further options.
        on_generation: called with a `GenerationRecord` after each generation;
            `print` shows how the search goes.

    Returns:
        The champion, the front, and the history.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if a number is out of its range; the folder has a search
            with other arguments or a damaged file; or the task returns scores
            of another shape, or such that are not finite.
        RuntimeError: if a worker has ended.

    Example:
        >>> result = tf_rigl.wann.search(
        ...     tf_rigl.wann.SwingUp(), generations=100, workers=2,
        ...     folder="runs/swing_up", on_generation=print,
        ... )

    Reference: Gaier and Ha, Weight Agnostic Neural Networks, NeurIPS 2019,
    arXiv 1906.04358.
    """
    if not isinstance(task, Task):
        raise TypeError(
            "`task` must be a tf_rigl.wann.Task. Received: task of type "
            f"{type(task)}. Pass an object such as tf_rigl.wann.SwingUp()."
        )
    if options is not None and not isinstance(options, SearchOptions):
        raise TypeError(
            "`options` must be tf_rigl.wann.SearchOptions. Received: "
            f"options={options!r}. Pass tf_rigl.wann.SearchOptions(...)."
        )
    plan = _Plan(
        task,
        task.defaults.population if population is None else population,
        task.defaults.generations if generations is None else generations,
        seed,
        tuple(map(float, shared_weights)),
        task.defaults.episodes if episodes is None else episodes,
        breeding.fill(options, task),
    )
    checks.check_positive("workers", workers)

    saved = None
    if folder is not None:
        # It writes by way of TensorFlow, which a search does not need.
        from tf_rigl.wann import search_folder

        saved = search_folder.SearchFolder(folder, plan.arguments())
    state = (saved and saved.read()) or _begin(plan)
    state = _advance(plan, state, saved, workers, on_generation)
    return SearchResult(
        _required(state.champion),
        state.history[-1].champion,
        tuple(state.champion_scores.tolist()),
        state.front,
        state.history,
        plan.shared_weights,
        task.name,
    )


@dataclasses.dataclass(frozen=True)
class _Plan:
    """The arguments of a search, checked and with all defaults filled in."""

    task: Task
    population: int
    generations: int
    seed: int
    shared_weights: tuple[float, ...]
    episodes: int
    options: SearchOptions

    def __post_init__(self) -> None:
        for name in ("population", "generations", "episodes"):
            checks.check_positive(name, getattr(self, name))
        checks.check_at_least("population", self.population, 2)
        checks.check_at_least("seed", self.seed, 0)
        if not self.shared_weights or not np.all(
            np.isfinite(self.shared_weights)
        ):
            raise ValueError(
                "`shared_weights` must be finite numbers, at least one. "
                f"Received: shared_weights={self.shared_weights}."
            )
        activations.check(self.task.functions)

    def arguments(self) -> dict[str, object]:
        """Returns what the search depends on, as JSON values.

        It may be longer than it was first meant to be.
        """
        options = dataclasses.asdict(self.options)
        del options["save_every"]
        return {
            "task": self.task.name,
            "task_settings": self.task.settings(),
            "population": self.population,
            "seed": self.seed,
            "shared_weights": list(self.shared_weights),
            "episodes": self.episodes,
            **options,
        }


def _begin(plan: _Plan) -> SearchState:
    population = breeding.first_generation(
        plan.task, plan.population, plan.seed, plan.options
    )
    return SearchState(tuple(population), Innovations.after(population[0]))


def _advance(
    plan: _Plan,
    state: SearchState,
    saved: "SearchFolder | None",
    workers: int,
    on_generation: Callable[[GenerationRecord], object] | None,
) -> SearchState:
    """Runs the generations that are missing."""
    if len(state.history) >= plan.generations:
        return state
    with contextlib.ExitStack() as stack:
        find = stack.enter_context(scoring.scorer(plan.task, workers))
        for generation in range(len(state.history), plan.generations):
            state = _run_generation(plan, state, generation, find)
            is_last = generation + 1 == plan.generations
            is_due = (generation + 1) % plan.options.save_every == 0
            if saved is not None and (is_last or is_due):
                saved.write(state)
            if on_generation is not None:
                on_generation(state.history[-1])
    return state


def _run_generation(
    plan: _Plan, state: SearchState, generation: int, find: scoring.Score
) -> SearchState:
    """Evaluates a generation and breeds the next one."""
    population = state.population
    seeds = breeding.episode_seeds(plan.seed, generation, plan.episodes)
    scores = find(population, plan.shared_weights, seeds).mean(axis=2)
    means, maxima = scores.mean(axis=1), scores.max(axis=1)
    connections = np.array([one.connections for one in population])

    # Of equal ones the one with the fewest connections.
    order: np.ndarray = np.lexsort((connections, -means))
    best = population[int(order[0])]
    champion, champion_scores = _challenge(plan, state, best, find)
    record = GenerationRecord(
        generation + 1,
        float(means.max()),
        float(maxima.max()),
        float(np.median(connections)),
        float(champion_scores.mean()),
        champion.connections,
    )

    innovations = dataclasses.replace(state.innovations)
    children = breeding.next_generation(
        population,
        means,
        maxima,
        innovations,
        plan.task,
        plan.seed,
        generation,
        plan.options,
    )
    return SearchState(
        tuple(children),
        innovations,
        champion,
        champion_scores,
        best,
        _front(population, means, maxima, connections),
        (*state.history, record),
    )


def _challenge(
    plan: _Plan, state: SearchState, best: Genome, find: scoring.Score
) -> tuple[Genome, np.ndarray]:
    """Returns the champion, old or new, and its scores by shared weight."""
    if state.champion is not None and best == state.candidate:
        return state.champion, state.champion_scores
    seeds = breeding.champion_seeds(plan.seed, plan.options.champion_episodes)
    scores = find([best], plan.shared_weights, seeds)[0].mean(axis=1)
    if (
        state.champion is not None
        and state.champion_scores.mean() >= scores.mean()
    ):
        return state.champion, state.champion_scores
    return best, scores


def _front(
    population: Sequence[Genome],
    means: np.ndarray,
    maxima: np.ndarray,
    connections: np.ndarray,
) -> tuple[FrontMember, ...]:
    """Returns the best genomes by mean and connections, one of each size."""
    first = ranking.fronts(
        ranking.objectives(means, maxima, connections, by_connections=True)
    )
    found: dict[int, FrontMember] = {}
    for place in np.flatnonzero(first == 0):
        size = int(connections[place])
        found.setdefault(
            size,
            FrontMember(
                population[int(place)],
                float(means[place]),
                float(maxima[place]),
                size,
            ),
        )
    return tuple(found[size] for size in sorted(found))


def _required(champion: Genome | None) -> Genome:
    if champion is None:
        raise ValueError(
            "A search has a champion from its first generation on."
        )
    return champion
