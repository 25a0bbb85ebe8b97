"""The flags of a set, of one of its processes, and command lines of them."""

import dataclasses
import shlex
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import Protocol

from absl import flags

from tf_rigl.experiments import fields
from tf_rigl.experiments.process_sets.grid import ProcessGrid
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import portable
from tf_rigl.experiments.runs import settings as run_settings
from tf_rigl.experiments.runs.settings import RunOptions
from tf_rigl.experiments.runs.settings import RunSettings

flags.disclaim_key_flags()


class Asked(Protocol):
    """What the flags of a set ask for."""

    @property
    def own(self) -> Any:
        """The settings that only this kind of set has."""

    @property
    def grid(self) -> ProcessGrid:
        """The number of processes."""

    @property
    def base(self) -> RunSettings:
        """The settings of every run, but for seed and learning rate."""

    @property
    def options(self) -> RunOptions:
        """The options of every run."""


class SetFlags(NamedTuple):
    """The flags that a kind of set has."""

    command: str  # of `tf-rigl`
    owner: Any  # the class of `Asked.own`
    run_flags: tuple[str, ...]  # of `RunSettings`, but for the seed
    option_flags: tuple[str, ...]  # of `RunOptions`
    defaults: Mapping[str, Any]

    def define(self, values: flags.FlagValues = flags.FLAGS) -> None:
        """Defines the flags of all processes."""
        self._define_shared(values)
        fields.define_flags(ProcessGrid, values, self.defaults)

    def define_one(self, values: flags.FlagValues = flags.FLAGS) -> None:
        """Defines the flags of one process."""
        self._define_shared(values)
        fields.define_flags(RunSettings, values, names=("seed",))

    def process_arguments(
        self, asked: Asked, run: RunSettings, output_dir: str
    ) -> list[str]:
        """Returns the flags of one process."""
        options = dataclasses.replace(asked.options, output_dir=output_dir)
        names = (*self.run_flags, "seed", *self.option_flags)
        return run_flags.to_arguments(
            run,
            options,
            asked.own,
            defaults=self.defaults,
            names=(*names, *_names(self.owner)),
        )

    def program_command(self, asked: Asked) -> str:
        """Returns the command that repeats all, with the data prepared."""
        arguments = run_flags.to_arguments(
            portable.without_machine(asked.base),
            asked.own,
            dataclasses.replace(asked.grid, jobs=1),
            defaults=self.defaults,
            names=(
                *self.run_flags,
                *_names(self.owner),
                *_names(ProcessGrid),
            ),
        )
        return shlex.join(["tf-rigl", self.command, *arguments])

    def shared(self, asked: Asked) -> dict[str, Any]:
        """Returns what all processes share, as plain JSON values by name."""
        run = run_settings.to_json(asked.base)
        varied = ("learning_rate",) if asked.grid.learning_rates else ()
        left_out = {*varied, *portable.PORTABLE}
        names = [name for name in self.run_flags if name not in left_out]
        return {
            **{name: run[name] for name in names},
            **dataclasses.asdict(asked.own),
        }

    def _define_shared(self, values: flags.FlagValues) -> None:
        fields.define_flags(RunSettings, values, self.defaults, self.run_flags)
        fields.define_flags(
            RunOptions, values, self.defaults, self.option_flags
        )
        fields.define_flags(self.owner, values)


def _names(owner: Any) -> list[str]:
    return [one.name for one in dataclasses.fields(owner)]
