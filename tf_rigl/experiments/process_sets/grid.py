"""The grid of a set: a process for each seed and learning rate."""

import dataclasses

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments.fields import AT_LEAST_ONE
from tf_rigl.experiments.fields import field
from tf_rigl.experiments.runs.settings import RunSettings
from tf_rigl.experiments.sweeps import grid as grids

flags.disclaim_key_flags()


@fields.documented
@dataclasses.dataclass(frozen=True)
class ProcessGrid:
    """How many processes there are.

    Raises:
        ValueError: if a value violates its rule.
    """

    seeds: int = field(
        5,
        "Number of seeds, 0, 1, ..., each trained in a process of its own.",
        AT_LEAST_ONE,
    )
    learning_rates: tuple[float, ...] = field(
        (),
        "Learning rates, each with all seeds; --learning_rate if unset.",
    )
    jobs: int = field(
        1,
        "Number of processes at once; each gets its share of the CPU cores.",
        AT_LEAST_ONE,
    )

    def __post_init__(self) -> None:
        fields.check(self)
        if self.learning_rates:
            rule = fields.rules(RunSettings)["learning_rate"]
            grids.check_list("learning_rates", self.learning_rates, rule)

    def points(self, base: RunSettings) -> list[grids.Point]:
        """Lists the processes, those of a seed together."""
        rates = self.learning_rates or (base.learning_rate,)
        return [
            grids.Point(
                f"lr_{rate}_s{seed}",
                dataclasses.replace(base, learning_rate=rate, seed=seed),
            )
            for seed in range(self.seeds)
            for rate in rates
        ]
