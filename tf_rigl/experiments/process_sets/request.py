"""The file that says which processes were asked for, and which have failed."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from tf_rigl.backend import atomic_files
from tf_rigl.experiments.process_sets.tables import Heading
from tf_rigl.experiments.runs import run_folder


@dataclasses.dataclass(frozen=True)
class SetRequest:
    """What a set of processes was asked for.

    Attributes:
        heading: the facts in the introduction of the table.
        searches: the names of the processes, searches or others, which are
            those of their folders.
        trainings: the names of the trainings of each process, in their order.
        settings: the settings that all processes share, by name.
        failed: the exit codes of the processes that failed, by name.
    """

    heading: Heading
    searches: tuple[str, ...]
    trainings: tuple[str, ...]
    settings: Mapping[str, Any]
    failed: Mapping[str, int] = dataclasses.field(default_factory=dict)


class RequestFile(NamedTuple):
    """The file of a kind of sets, in the folder of the program."""

    name: str

    def write(self, folder: pathlib.Path, request: SetRequest) -> None:
        """Writes the request, atomically."""
        content = dataclasses.asdict(request)
        content["heading"] = request.heading._asdict()
        atomic_files.write_json(folder / self.name, content)

    def read(self, folder: pathlib.Path) -> SetRequest:
        """Reads the request.

        Raises:
            ValueError: if the file is damaged.
        """
        path = folder / self.name
        content = run_folder.read_object(path)
        try:
            return SetRequest(
                Heading(**content.pop("heading")),
                tuple(content.pop("searches")),
                tuple(content.pop("trainings")),
                **content,
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise run_folder.damaged(path, error) from error

    def is_in(self, folder: str | os.PathLike[str]) -> bool:
        """Returns whether a folder is that of such a set."""
        return pathlib.Path(folder, self.name).exists()
