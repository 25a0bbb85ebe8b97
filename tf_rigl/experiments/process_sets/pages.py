"""What the pages of all sets of processes show.

Requires Jinja2 and matplotlib: call `optional_packages.check_report` before
importing this module.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from tf_rigl.experiments.process_sets.request import SetRequest
from tf_rigl.experiments.report import tables as report_tables
from tf_rigl.experiments.sweeps import failures
from tf_rigl.experiments.sweeps.request import LOG

NAME = "report.html"


def content(
    method: str,
    below: pathlib.Path,
    path: pathlib.Path,
    asked: SetRequest,
    trained: Mapping[str, int],
) -> dict[str, Any]:
    """Returns how far the processes are, and what they were asked for.

    Args:
        method: what the processes do, in the plural.
        below: the folder of the processes, in that of the program.
        path: the file of the page.
        asked: what they were asked for.
        trained: how many trainings of each process have ended, by name.
    """
    whole = len(asked.trainings)
    return {
        "heading": asked.heading.network,
        "method": f"{method}: {len(asked.searches)}",
        "progress": f"{sum(trained.values()):,} of {whole * len(trained):,} "
        "trainings have finished.",
        "processes": [
            (name, f"{done} of {whole}", _state(asked, name, done < whole))
            for name, done in trained.items()
        ],
        "failures": [
            failures.read_failure(name, code, below / name / LOG, path)
            for name, code in asked.failed.items()
        ],
        "command": asked.heading.command,
        "settings": report_tables.formatted_settings(asked.settings),
        "versions": asked.heading.versions,
        "name": below.parent.resolve().name,
    }


def _state(asked: SetRequest, name: str, is_unfinished: bool) -> str:
    if name in asked.failed:
        return f"failed, exit code {asked.failed[name]}"
    return "unfinished" if is_unfinished else "finished"
