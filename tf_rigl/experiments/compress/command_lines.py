"""The command lines of compressions, and the settings that they share."""

import dataclasses
import shlex
from typing import Any

from tf_rigl.experiments.compress import settings
from tf_rigl.experiments.runs import flags as run_flags
from tf_rigl.experiments.runs import settings as run_settings
from tf_rigl.experiments.sweeps import records
from tf_rigl.experiments.tickets.settings import SearchGrid


def process_arguments(
    asked: settings.Asked, run: run_settings.RunSettings, output_dir: str
) -> list[str]:
    """Returns the flags of the process of one compression."""
    options = dataclasses.replace(asked.options, output_dir=output_dir)
    return run_flags.to_arguments(
        run,
        options,
        asked.compress,
        defaults=settings.DEFAULTS,
        names=(
            *settings.RUN_FLAGS,
            "seed",
            *settings.OPTION_FLAGS,
            *_names(settings.CompressSettings),
        ),
    )


def program_command(asked: settings.Asked) -> str:
    """Returns the command that repeats all, with the data prepared."""
    arguments = run_flags.to_arguments(
        records.portable(asked.base),
        asked.compress,
        dataclasses.replace(asked.grid, jobs=1),
        defaults=settings.DEFAULTS,
        names=(
            *settings.RUN_FLAGS,
            *_names(settings.CompressSettings),
            *_names(SearchGrid),
        ),
    )
    return shlex.join(["tf-rigl", "compress", *arguments])


def shared(asked: settings.Asked) -> dict[str, Any]:
    """Returns what all compressions share, as plain JSON values by name."""
    run = run_settings.to_json(asked.base)
    varied = ("learning_rate",) if asked.grid.learning_rates else ()
    left_out = {*varied, *records.PORTABLE}
    names = [name for name in settings.RUN_FLAGS if name not in left_out]
    return {
        **{name: run[name] for name in names},
        **dataclasses.asdict(asked.compress),
    }


def _names(owner: Any) -> list[str]:
    return [one.name for one in dataclasses.fields(owner)]
