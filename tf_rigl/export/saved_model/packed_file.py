"""The two files in which an artifact keeps its weights.

`assets/weights.bin` holds the bytes of all weights, one after the other; the
SavedModel decodes itself from it. `assets.extra/weights.json` says what they
are, for whoever reads them otherwise; no runtime looks at that folder.
"""

import dataclasses
import json
import os
import posixpath
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf_rigl.core.packing.corruption import check
from tf_rigl.export.saved_model.groups import Group
from tf_rigl.export.saved_model.groups import stored_bytes
from tf_rigl.export.saved_model.packed_weight import PackedWeight
from tf_rigl.export.saved_model.packed_weight import compute_hash
from tf_rigl.export.saved_model.weight_spec import Entry
from tf_rigl.export.saved_model.weight_spec import entry_from_json

BLOB = "weights.bin"
METADATA = "weights.json"
FORMAT = "tf_rigl weights 1"
# What stands in the line of each weight, in this order; what else is known of
# it follows by name.
FIELDS = ["path", "shape", "encoding", "nonzeros", "offset", "bytes", "hash"]


def place_weights(
    weights: Sequence[PackedWeight], groups: Sequence[Group]
) -> tuple[list[PackedWeight], bytes]:
    """Puts the bytes of all weights one after the other.

    Args:
        weights: packed weights.
        groups: each of them in one.

    Returns:
        The weights with their offsets and hashes, and the bytes.
    """
    placed = list(weights)
    parts = []
    offset = 0
    for group in groups:
        for member in group.members:
            weight = weights[member]
            entry = dataclasses.replace(weight.entry, offset=offset)
            digest = compute_hash(entry, weight.data)
            entry = dataclasses.replace(entry, hash=digest)
            placed[member] = PackedWeight(entry, weight.data)
            size = stored_bytes(group, entry)
            parts.append(weight.data)
            parts.append(bytes(size - entry.bytes))
            offset += size
    return placed, b"".join(parts)


def write_metadata(
    folder: str, weights: Sequence[PackedWeight], size: int | None
) -> None:
    """Writes what is known of the weights into an artifact.

    Args:
        folder: of the SavedModel.
        weights: the weights.
        size: number of bytes of the file of all weights; None where they are
            not packed.
    """
    extra = posixpath.join(folder, "assets.extra")
    tf.io.gfile.makedirs(extra)
    # One line a weight, and no more bytes than that takes.
    lines = ",\n".join(
        json.dumps(_to_row(weight.entry), separators=(",", ":"))
        for weight in weights
    )
    head = json.dumps({"format": FORMAT, "bytes": size, "fields": FIELDS})[:-1]
    with tf.io.gfile.GFile(posixpath.join(extra, METADATA), "w") as file:
        file.write(f'{head}, "weights": [\n{lines}\n]}}\n')


def read_weights(path: str | os.PathLike[str]) -> list[PackedWeight]:
    """Reads the weights of an artifact and checks that they are intact.

    Args:
        path: of a SavedModel that `export_saved_model` has written.

    Returns:
        The weights; nothing is decoded yet.

    Raises:
        ValueError: where there is no such file, or the weights of the
            artifact are not packed.
        CorruptDataError: where a file is damaged.
    """
    folder = os.fspath(path)
    entries, size = _read_metadata(folder)
    blob = posixpath.join(folder, "assets", BLOB)
    data = _read(blob, folder)
    check(
        len(data) == size,
        f"{blob!r} must have {size} bytes.",
        f"{len(data)} bytes",
    )
    weights = []
    for entry in entries:
        end = entry.offset + entry.bytes
        check(
            end <= size,
            f"{entry.path!r} must end within {size} bytes.",
            f"bytes {entry.offset} to {end}",
        )
        weights.append(PackedWeight(entry, data[entry.offset : end]))
        weights[-1].check_hash()
    return weights


def _read_metadata(folder: str) -> tuple[list[Entry], int]:
    name = posixpath.join(folder, "assets.extra", METADATA)
    text = _read(name, folder)
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        check(False, f"{name!r} must be JSON.", str(error))
        raise
    check(
        isinstance(content, dict)
        and content.get("format") == FORMAT
        and set(content) == {"format", "bytes", "fields", "weights"}
        and content["fields"] == FIELDS
        and isinstance(content["weights"], list),
        f"{name!r} must hold weights in the format {FORMAT!r}.",
        repr(content)[:200],
    )
    size = content["bytes"]
    if size is None:
        raise ValueError(
            "The weights of the artifact must be packed. Received: "
            f"path={folder!r}, which was exported with compression=None."
        )
    check(type(size) is int, "The number of bytes must be one.", repr(size))
    entries = [_from_row(one) for one in content["weights"]]
    paths = {entry.path for entry in entries}
    check(
        len(paths) == len(entries),
        "Each weight must stand once.",
        f"{len(entries)} weights with {len(paths)} paths",
    )
    return entries, size


def _to_row(entry: Entry) -> list[Any]:
    others = entry.to_json()
    row = [getattr(entry, field) for field in FIELDS]
    for field in FIELDS:
        others.pop(field, None)
    return [*row, others] if others else row


def _from_row(row: Any) -> Entry:
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
    return entry_from_json({**known, **others})


def _read(name: str, folder: str) -> bytes:
    try:
        with tf.io.gfile.GFile(name, "rb") as file:
            return file.read()
    except (tf.errors.OpError, OSError) as error:
        raise ValueError(
            "`path` must be a folder that `export_saved_model` has written. "
            f"Received: path={folder!r}; {error}"
        ) from error
