"""The flags of searches for weight agnostic networks."""

import dataclasses

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments.fields import AT_LEAST_ONE
from tf_rigl.experiments.fields import NOT_NEGATIVE
from tf_rigl.experiments.fields import FieldRule
from tf_rigl.experiments.fields import field
from tf_rigl.experiments.fields import one_of
from tf_rigl.wann import breeding
from tf_rigl.wann import ranking
from tf_rigl.wann import searching
from tf_rigl.wann.breeding import SearchOptions
from tf_rigl.wann.tasks import digits
from tf_rigl.wann.tasks import gymnasium_tasks
from tf_rigl.wann.tasks import swing_up
from tf_rigl.wann.tasks.task import Task

# `--help` should list these flags as those of the program.
flags.disclaim_key_flags()

TASKS: dict[str, type[Task]] = {
    "swing_up": swing_up.SwingUp,
    "digits": digits.Digits,
    "bipedal_walker": gymnasium_tasks.BipedalWalker,
    "car_racing": gymnasium_tasks.CarRacing,
}
_SHARE = FieldRule(lambda value: 0 <= value <= 1, "in [0, 1]")
_OF_TASK = "; 0 for the article's of the task"


@fields.documented
@dataclasses.dataclass(frozen=True)
class WannSettings:
    """What to search for, and how.

    Raises:
        ValueError: if a value violates its rule.
    """

    task: str = field(
        "swing_up", "What networks are searched for.", one_of(TASKS)
    )
    population: int = field(
        0, f"Networks in a generation{_OF_TASK}.", NOT_NEGATIVE
    )
    generations: int = field(
        0, f"Number of generations{_OF_TASK}.", NOT_NEGATIVE
    )
    seed: int = field(0, "Seed of all random numbers.", NOT_NEGATIVE)
    workers: int = field(
        1, "Number of processes that evaluate networks.", AT_LEAST_ONE
    )
    shared_weights: tuple[float, ...] = field(
        searching.SHARED_WEIGHTS,
        "Weights that all connections share in turn.",
    )
    episodes: int = field(
        0,
        f"Episodes for each network and weight{_OF_TASK}.",
        NOT_NEGATIVE,
    )
    tournament: int = field(
        0,
        f"Networks of which the best becomes a parent{_OF_TASK}.",
        NOT_NEGATIVE,
    )
    elite: float = field(
        0.2, "Share of the networks left that go on unchanged.", _SHARE
    )
    cull: float = field(
        0.2, "Share of a generation, the worst, without children.", _SHARE
    )
    by_connections: float = field(
        0.8,
        "Probability of ranking by mean and few connections, and not by mean "
        "and best weight.",
        _SHARE,
    )
    connect: float | None = field(
        None,
        "Share of connections that are enabled at the start; the article's of "
        "the task if unset.",
        _SHARE,
    )
    champion_episodes: int = field(
        20,
        "Episodes, the same in all of the search, that decide about the "
        "champion.",
        AT_LEAST_ONE,
    )
    crowding: str = field(
        ranking.RANGE,
        "Scale of crowding distances: the range, or as the published code has "
        "it (reference).",
        one_of(ranking.PRESETS),
    )
    save_every: int = field(
        1, "Generations from one save to the next.", AT_LEAST_ONE
    )
    tune_iterations: int = field(
        0,
        "Iterations of tuning the champion's single weights at the end.",
        NOT_NEGATIVE,
    )
    final_episodes: int = field(
        100, "Fresh episodes of the champion at the end.", AT_LEAST_ONE
    )
    output_dir: str = field("runs/wann", "Folder of the search.")

    def __post_init__(self) -> None:
        fields.check(self)

    def make_task(self) -> Task:
        """Makes the task.

        Raises:
            ImportError: if it needs a package that is not installed.
        """
        return TASKS[self.task]()

    def options(self) -> SearchOptions:
        """Returns the options of the search."""
        return breeding.SearchOptions(
            tournament=self.tournament or None,
            elite=self.elite,
            cull=self.cull,
            by_connections=self.by_connections,
            connect=self.connect,
            champion_episodes=self.champion_episodes,
            crowding=self.crowding,
            save_every=self.save_every,
        )


def define(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags."""
    fields.define_flags(WannSettings, values)


def read(values: flags.FlagValues = flags.FLAGS) -> WannSettings:
    """Makes settings of parsed flags.

    Raises:
        ValueError: if a value violates its rule.
    """
    found: WannSettings = fields.read_flags(WannSettings, values)
    return found
