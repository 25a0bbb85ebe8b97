"""The file that says which searches were asked for, and which have failed."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from tf_rigl.backend import atomic_files
from tf_rigl.experiments.runs import run_folder
from tf_rigl.experiments.tickets.tables import Heading

_FILE = "tickets.json"
SEARCHES = "searches"  # the folder of the searches within that of the program


@dataclasses.dataclass(frozen=True)
class TicketsRequest:
    """What searches were asked for.

    Attributes:
        heading: the facts in the introduction of the table.
        searches: the names of the searches, which are those of their folders.
        trainings: the names of the trainings of each search, in their order.
        settings: the settings that all searches share, by name.
        failed: the exit codes of the searches that failed, by name.
    """

    heading: Heading
    searches: tuple[str, ...]
    trainings: tuple[str, ...]
    settings: Mapping[str, Any]
    failed: Mapping[str, int] = dataclasses.field(default_factory=dict)


def write(
    folder: pathlib.Path, request: TicketsRequest, file: str = _FILE
) -> None:
    """Writes the request into the folder of the searches, atomically."""
    content = dataclasses.asdict(request)
    content["heading"] = request.heading._asdict()
    atomic_files.write_json(folder / file, content)


def read(folder: pathlib.Path, file: str = _FILE) -> TicketsRequest:
    """Reads the request of searches.

    Raises:
        ValueError: if the file is damaged.
    """
    path = folder / file
    content = run_folder.read_object(path)
    try:
        return TicketsRequest(
            Heading(**content.pop("heading")),
            tuple(content.pop("searches")),
            tuple(content.pop("trainings")),
            **content,
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise run_folder.damaged(path, error) from error


def is_tickets(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a folder is that of ticket searches."""
    return pathlib.Path(folder, _FILE).exists()
