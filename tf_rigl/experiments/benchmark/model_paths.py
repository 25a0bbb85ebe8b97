"""Files of models, with their formats and the names that tables give them."""

import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

KERAS = "keras"
SAVED_MODEL = "saved_model"
LITERT = "litert"
PLAN = "plan"

_SUFFIXES = {".keras": KERAS, ".tflite": LITERT, ".plan": PLAN}


class ModelPath(NamedTuple):
    """A file or folder that holds a model."""

    label: str  # its name in tables, which no other one has
    path: pathlib.Path
    kind: str  # one of the formats above

    @property
    def bytes(self) -> int:
        """Size of the file, or of all files in the folder."""
        if self.path.is_file():
            return self.path.stat().st_size
        files = (one for one in self.path.rglob("*") if one.is_file())
        return sum(one.stat().st_size for one in files)


def find(paths: Sequence[str | os.PathLike[str]]) -> list[ModelPath]:
    """Tells the formats of models; the contents are not looked at.

    Raises:
        ValueError: if a path does not exist, or has none of the formats.
    """
    found = [pathlib.Path(path) for path in paths]
    kinds = [_kind(path) for path in found]
    return [
        ModelPath(label, path, kind)
        for label, path, kind in zip(_labels(found), found, kinds, strict=True)
    ]


def _kind(path: pathlib.Path) -> str:
    if (path / "saved_model.pb").exists():
        return SAVED_MODEL
    if path.is_file() and path.suffix in _SUFFIXES:
        return _SUFFIXES[path.suffix]
    state = "" if path.exists() else ", which does not exist"
    raise ValueError(
        "A model must be a .keras, .tflite or .plan file, or the folder of a "
        f"SavedModel. Received: {str(path)!r}{state}."
    )


def _labels(paths: Sequence[pathlib.Path]) -> list[str]:
    """Names files by their own names, or by as much more as tells them apart.

    A path that comes twice, to see the noise, is numbered.
    """
    labels: list[str] = []
    for path in paths:
        parts = path.parts
        others = [other.parts for other in paths if other != path]
        length = 1
        while length < len(parts) and any(
            other[-length:] == parts[-length:] for other in others
        ):
            length += 1
        label = name = str(pathlib.Path(*parts[-length:]))
        number = 1
        while label in labels:
            number += 1
            label = f"{name} ({number})"
        labels.append(label)
    return labels
