"""The two files in which an artifact keeps its weights.

`assets/weights.bin` holds the bytes of all weights, one after the other. The
SavedModel reads it when it is loaded. `assets.extra/weights.json` holds the
metadata of the weights, for `load_packed_weights` and other tools; no runtime
reads that folder.

The metadata begin with the number of their format. Increase `FORMAT` if older
releases would misread new files, and keep reading all older formats. From
format 2 on, the metadata also hold "tf_rigl", the first release that reads the
file: older releases name it in their error.

- 1: weights of all encodings and formats but those below.
- 2: some values are drawn from a seed. Files without such values are written in
  format 1.
"""

import dataclasses
import json
import os
import posixpath
import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.core.packing.corruption import check
from tf_rigl.export.saved_model import packed_weight
from tf_rigl.export.saved_model.groups import Group
from tf_rigl.export.saved_model.groups import stored_bytes
from tf_rigl.export.saved_model.packed_weight import PackedWeight
from tf_rigl.version import __version__

BLOB = "weights.bin"
METADATA = "weights.json"
FORMAT = 2
READABLE_FORMATS = range(1, FORMAT + 1)
_FORMAT_NAME = "tf_rigl weights"
_FIRST_RELEASE = "0.2.0"  # that reads `FORMAT`
# Each weight is a list of these fields, in this order. Other fields follow in a
# dictionary, which is left out if all of them have their defaults.
FIELDS = ["path", "shape", "encoding", "nonzeros", "offset", "bytes", "hash"]


def place_weights(
    weights: Sequence[PackedWeight], groups: Sequence[Group]
) -> tuple[list[PackedWeight], bytes]:
    """Concatenates the bytes of all weights, group by group.

    Args:
        weights: the packed weights.
        groups: groups that contain each of the weights once.

    Returns:
        The weights with their offsets and hashes, in the order of `weights`,
        and the content of the file.
    """
    placed = list(weights)
    parts = []
    offset = 0

    for group in groups:
        for member in group.members:
            weight = weights[member]
            spec = dataclasses.replace(weight.spec, offset=offset)
            digest = packed_weight.compute_hash(spec, weight.data)
            spec = dataclasses.replace(spec, hash=digest)
            placed[member] = PackedWeight(spec, weight.data)

            size = stored_bytes(group, spec)
            parts.append(weight.data)
            parts.append(bytes(size - spec.bytes))
            offset += size

    return placed, b"".join(parts)


def write_metadata(
    folder: str, weights: Sequence[PackedWeight], size: int | None
) -> None:
    """Writes the metadata of the weights into an artifact.

    Args:
        folder: the folder of the artifact.
        weights: the weights with their offsets and hashes.
        size: size of the file of all weights in bytes; None if the weights are
            not packed.
    """
    extra = posixpath.join(folder, "assets.extra")
    tf.io.gfile.makedirs(extra)

    # One line per weight is still readable; no spaces keep the file small.
    lines = ",\n".join(
        json.dumps(_to_row(weight.spec), separators=(",", ":"))
        for weight in weights
    )

    head = json.dumps({**_format_of(weights), "bytes": size, "fields": FIELDS})[
        :-1
    ]

    with tf.io.gfile.GFile(posixpath.join(extra, METADATA), "w") as file:
        file.write(f'{head}, "weights": [\n{lines}\n]}}\n')


def _format_of(weights: Sequence[PackedWeight]) -> dict[str, str]:
    """Returns the entries that name the oldest format of these weights."""
    if any(weight.spec.values == "seed" for weight in weights):
        return {
            "format": f"{_FORMAT_NAME} {FORMAT}",
            "tf_rigl": _FIRST_RELEASE,
        }
    return {"format": f"{_FORMAT_NAME} 1"}


def read_weights(path: str | os.PathLike[str]) -> list[PackedWeight]:
    """Reads the packed weights of an artifact, without decoding them.

    Raises:
        ValueError: if `path` is not an artifact, if its weights are not packed,
            or if a newer version has written it.
        CorruptDataError: if a file is damaged.
    """
    folder = os.fspath(path)
    specs, size = _read_metadata(folder)
    blob = posixpath.join(folder, "assets", BLOB)
    data = _read(blob, folder)
    check(
        len(data) == size,
        f"{blob!r} must have {size} bytes.",
        f"{len(data)} bytes",
    )

    weights = []
    for spec in specs:
        end = spec.offset + spec.bytes
        check(
            end <= size,
            f"{spec.path!r} must end within {size} bytes.",
            f"bytes {spec.offset} to {end}",
        )
        weights.append(PackedWeight(spec, data[spec.offset : end]))
        weights[-1].check_hash()

    return weights


def _read_metadata(folder: str) -> tuple[list[packed_weight.WeightSpec], int]:
    """Reads the metadata of an artifact and checks them.

    Returns:
        The metadata of each weight, and the size of the file of all weights in
        bytes.

    Raises:
        ValueError: if `folder` is not an artifact, if its weights are not
            packed, or if a newer version has written it.
        CorruptDataError: if the metadata are damaged.
    """
    name = posixpath.join(folder, "assets.extra", METADATA)
    text = _read(name, folder)
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        # Damaged JSON may also be nested too deep to be parsed.
        check(False, f"{name!r} must be JSON.", str(error))
        raise  # Never reached; tells type checkers that `content` is set.

    _check_format(content, name, folder)
    check(
        set(content) - {"tf_rigl"} == {"format", "bytes", "fields", "weights"}
        and content["fields"] == FIELDS
        and isinstance(content["weights"], list),
        f"{name!r} must hold weights.",
        repr(content)[:200],
    )

    size = content["bytes"]
    if size is None:
        raise ValueError(
            "The weights of the artifact must be packed. Received: "
            f"path={folder!r}, which was exported with compression=None."
        )
    # Not `isinstance`, for which True is an integer, too.
    check(
        type(size) is int,
        "The number of bytes must be an integer.",
        repr(size),
    )

    specs = [_from_row(row) for row in content["weights"]]
    paths = {spec.path for spec in specs}
    check(
        len(paths) == len(specs),
        "Each weight must be listed once.",
        f"{len(specs)} weights with {len(paths)} paths",
    )
    return specs, size


def _check_format(content: Any, name: str, folder: str) -> None:
    """Checks that this version can read the format of the metadata.

    Args:
        content: the parsed metadata.
        name: the path of their file, for errors.
        folder: the folder of the artifact, for errors.

    Raises:
        ValueError: if the format is newer.
        CorruptDataError: if no valid format is given.
    """
    found = content.get("format") if isinstance(content, dict) else None
    match = re.fullmatch(
        rf"{_FORMAT_NAME} ([1-9]\d{{0,8}})",
        found if isinstance(found, str) else "",
    )
    check(
        match is not None,
        f"{name!r} must begin with its format, such as "
        f"'{_FORMAT_NAME} {FORMAT}'.",
        repr(content)[:200],
    )

    number = int(match[1]) if match else 0
    if number not in READABLE_FORMATS:
        release = content.get("tf_rigl")
        # The file may be damaged, and the error suggests a shell command, so
        # nothing but a version is passed on.
        known = isinstance(release, str) and re.fullmatch(
            r"[\w.+-]{1,40}", release
        )
        raise ValueError(
            f"tf_rigl {__version__} reads packed weights of the formats "
            f"{READABLE_FORMATS[0]} to {READABLE_FORMATS[-1]}. Received: "
            f"path={folder!r} in format {number}. Install "
            + (
                f"tf_rigl {release} or a later one: "
                f"pip install --upgrade 'tf_rigl>={release}'."
                if known
                else "the tf_rigl that wrote it or a later one: "
                "pip install --upgrade tf_rigl."
            )
        )


def _to_row(spec: packed_weight.WeightSpec) -> list[Any]:
    others = spec.to_json()
    row = [getattr(spec, field) for field in FIELDS]
    for field in FIELDS:
        others.pop(field, None)
    return [*row, others] if others else row


def _from_row(row: Any) -> packed_weight.WeightSpec:
    """Inverts `_to_row`; raises a CorruptDataError if the row is damaged."""
    count = len(FIELDS)
    check(
        isinstance(row, list)
        and count <= len(row) <= count + 1
        and isinstance(row[-1], dict) is (len(row) > count),
        f"The line of a weight must have {FIELDS} and may have more.",
        repr(row)[:200],
    )

    known = dict(zip(FIELDS, row, strict=False))
    others = row[count] if len(row) > count else {}
    check(
        not known.keys() & others.keys(),
        "Each field of a weight must stand once.",
        repr(row)[:200],
    )

    return packed_weight.spec_from_json({**known, **others})


def _read(name: str, folder: str) -> bytes:
    """Reads a file of an artifact; raises a ValueError if that fails."""
    try:
        with tf.io.gfile.GFile(name, "rb") as file:
            return file.read()
    except (tf.errors.OpError, OSError) as error:
        raise ValueError(
            "`path` must be a folder that `export_saved_model` has written. "
            f"Received: path={folder!r}; {error}"
        ) from error
