"""The files of a search, each written whole.

`search.json` has what the search was begun with, `state.npz` the state after
the last generation that was saved. Whatever a kill interrupts, both are there
as they were before or as they are after.
"""

import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_rigl.backend import atomic_files
from tf_rigl.wann import search_state
from tf_rigl.wann.search_state import SearchState

_ARGUMENTS = "search.json"
_STATE = "state.npz"


class SearchFolder:
    """The folder of a search.

    Args:
        path: a local folder, which need not exist.
        arguments: all that the search depends on, as JSON values.

    Raises:
        ValueError: if the folder has a search with other arguments, or a
            damaged file.
    """

    def __init__(
        self, path: str | os.PathLike[str], arguments: Mapping[str, Any]
    ) -> None:
        self._path = pathlib.Path(path)
        self._state = self._path / _STATE
        self._path.mkdir(parents=True, exist_ok=True)
        file = self._path / _ARGUMENTS
        if file.exists():
            _check_same(file, arguments)
        elif self._state.exists():
            raise _damaged(file, "it is missing, and its state is not")
        else:
            atomic_files.write_json(file, arguments)

    def read(self) -> SearchState | None:
        """Returns the last state that was saved; None if there is none.

        Raises:
            ValueError: if the file is damaged.
        """
        if not self._state.exists():
            return None
        try:
            with np.load(self._state, allow_pickle=False) as arrays:
                return search_state.from_arrays(dict(arrays))
        # What NumPy, its archives and their contents raise.
        except (
            EOFError,
            KeyError,
            OSError,
            TypeError,
            ValueError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise _damaged(self._state, error) from error

    def write(self, state: SearchState) -> None:
        """Saves a state in place of the one before."""
        with atomic_files.open_whole(self._state, flush=True) as file:
            arrays: dict[str, Any] = state.arrays()
            np.savez_compressed(file, **arrays)


def _check_same(file: pathlib.Path, arguments: Mapping[str, Any]) -> None:
    try:
        found = dict(json.loads(file.read_text(encoding="utf-8")))
    except (TypeError, ValueError) as error:
        raise _damaged(file, error) from error

    # As the arguments are when they come back from the file.
    wanted = json.loads(json.dumps(arguments))
    names = sorted(
        name
        for name in {*wanted, *found}
        if wanted.get(name) != found.get(name)
    )
    if names:
        differing = "; ".join(
            f"{name}={wanted.get(name)!r} instead of {found.get(name)!r}"
            for name in names
        )
        raise ValueError(
            "A search goes on with the arguments that it was begun with. "
            f"Received: {differing} in {str(file.parent)!r}. Pass the same, or "
            "another folder."
        )


def _damaged(file: pathlib.Path, why: object) -> ValueError:
    return ValueError(
        f"A file of the search is damaged. Received: {str(file)!r}: {why}. "
        "Restore it, or begin anew in another folder."
    )
