"""A text file that gets a few lines per epoch and survives restarts."""

import contextlib
import functools
import json
import math
import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

import tensorflow as tf

from tf_rigl.backend import atomic_files


class EpochFile:
    """A text file whose lines each belong to an epoch.

    The lines of an epoch are appended in one write. A run that starts with a
    later epoch keeps the lines of earlier ones and drops the rest, so that no
    line is repeated and none that a crash cut off remains. `path` is any of
    `tf.io.gfile`, and `argument` its name in messages; `epoch_of` raises a
    ValueError for a broken line.
    """

    def __init__(
        self,
        argument: str,
        path: str | os.PathLike[str],
        header: str,
        epoch_of: Callable[[str], int],
    ) -> None:
        self._argument = argument
        self._path = os.fspath(path)
        self._header = header
        self._epoch_of = epoch_of
        self._is_begun = False

    @classmethod
    def of_json(
        cls, argument: str, path: str | os.PathLike[str], number: str = "epoch"
    ) -> "EpochFile":
        """Makes a file of JSON lines, each with its number by that name."""
        return cls(argument, path, "", functools.partial(_json_number, number))

    def check(self) -> None:
        """Makes the file if needed; raises a ValueError if that fails.

        A `begin_once` after it begins the file anew.
        """
        self._is_begun = False
        with self._explained():
            tf.io.gfile.makedirs(os.path.dirname(self._path) or ".")
            self.append([])

    def begin(self, epoch: int) -> None:
        """Starts the file with the lines of the epochs before this one.

        Raises:
            ValueError: if the file has another header or cannot be written.
        """
        with self._explained():
            kept = self._lines_before(epoch) if epoch else []
            lines = [*filter(None, [self._header]), *kept]
            atomic_files.write_text(self._path, _as_text(lines))

    def begin_once(self, epoch: int) -> None:
        """Does as `begin` for the first epoch after a `check`."""
        if not self._is_begun:
            self.begin(epoch)
        self._is_begun = True

    def append(self, lines: Iterable[str]) -> None:
        """Appends the lines of an epoch, given without line feeds."""
        with tf.io.gfile.GFile(self._path, "a") as file:
            file.write(_as_text(lines))

    def _lines_before(self, epoch: int) -> list[str]:
        with tf.io.gfile.GFile(self._path, "r") as file:
            complete, _, _ = file.read().rpartition("\n")

        lines = complete.split("\n") if complete else []
        if self._header and lines:
            found = lines.pop(0)
            if found != self._header:
                raise ValueError(
                    f"`{self._argument}` must be a file of the same columns "
                    "where training goes on with a later epoch. Received: "
                    f"{self._argument}={self._path!r}, whose first line is "
                    f"{found!r}. Pass another path, or remove the file."
                )
        return [line for line in lines if self._belongs_before(line, epoch)]

    def _belongs_before(self, line: str, epoch: int) -> bool:
        try:
            return self._epoch_of(line) < epoch
        except ValueError:
            return False

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            raise ValueError(
                f"`{self._argument}` must be a file that can be written. "
                f"Received: {self._argument}={self._path!r}; {error}. Pass a "
                "path in a folder where you may write."
            ) from error


def finite(numbers: Mapping[str, float | None]) -> dict[str, float | None]:
    """Replaces infinity and NaN, which JSON does not have, by None."""
    return {
        name: number if number is None or math.isfinite(number) else None
        for name, number in numbers.items()
    }


def _json_number(name: str, line: str) -> int:
    found = json.loads(line)
    if not isinstance(found, dict) or not isinstance(found.get(name), int):
        raise ValueError(f"A line must have {name!r}. Received: {line!r}.")
    return found[name]


def _as_text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
