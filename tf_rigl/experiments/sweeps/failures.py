"""What the pages of several runs show of those that have failed."""

import pathlib
import urllib.parse
from collections.abc import Sequence
from typing import NamedTuple

from tf_rigl.experiments import formatting
from tf_rigl.experiments.sweeps import processes

_LINES_OF_LOG = 8


class Failure(NamedTuple):
    """A run that has failed."""

    name: str
    code: int
    log: str  # a relative link; empty if there is no log
    lines: Sequence[str]  # the end of the log, without paths of the machine


def read_failure(
    name: str, code: int, log: pathlib.Path, page: pathlib.Path
) -> Failure:
    """Reads the end of the log of a run that has failed."""
    lines = [
        formatting.without_paths(line)
        for line in processes.last_lines(log, _LINES_OF_LOG)
    ]
    return Failure(name, code, link(log, page), lines)


def link(target: pathlib.Path, page: pathlib.Path) -> str:
    """Returns a link to a file in a folder below that of the page.

    To others there is none, as it would name folders of this machine.
    """
    target, start = target.resolve(), page.resolve().parent
    if not target.exists() or not target.is_relative_to(start):
        return ""
    return urllib.parse.quote(target.relative_to(start).as_posix())
