"""The file that says which compressions were asked for, and what has failed."""

import os
import pathlib

from tf_rigl.experiments.tickets import request
from tf_rigl.experiments.tickets.request import TicketsRequest

_FILE = "compress.json"
COMPRESSIONS = "compressions"  # the folder of the compressions


def write(folder: pathlib.Path, asked: TicketsRequest) -> None:
    """Writes the request into the folder of the program, atomically."""
    request.write(folder, asked, _FILE)


def read(folder: pathlib.Path) -> TicketsRequest:
    """Reads the request of compressions.

    Raises:
        ValueError: if the file is damaged.
    """
    return request.read(folder, _FILE)


def is_compress(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a folder is that of compressions."""
    return pathlib.Path(folder, _FILE).exists()
