"""Files and folders that are written whole or not at all.

Everything is written aside, under another name in the same folder, and
renamed: a process that is killed at any moment leaves what was there as it
was. Paths are those of `tf.io.gfile`, remote ones included; for local ones
Python's own functions are used, whose errors are `OSError`.
"""

import contextlib
import json
import os
import posixpath
import uuid
from collections.abc import Iterator
from typing import IO
from typing import Any

import tensorflow as tf

# The name of a file that is being written begins with this. It ends like the
# name of the whole file, because Keras goes by the suffix.
DRAFT_PREFIX = ".draft-"


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Writes a JSON file."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Writes a text file in UTF-8."""
    with open_whole(path) as file:
        file.write(content.encode())


@contextlib.contextmanager
def open_whole(
    path: str | os.PathLike[str], flush: bool = False
) -> Iterator[IO[bytes]]:
    """Opens a file that is at its path once the block ends; see `draft`."""
    with draft(path, flush) as aside:
        open_aside: Any = open if _is_local(aside) else tf.io.gfile.GFile
        with open_aside(aside, "wb") as file:
            yield file


@contextlib.contextmanager
def draft(path: str | os.PathLike[str], flush: bool = False) -> Iterator[str]:
    """Yields a temporary path and renames it to `path` if the block succeeds.

    If the block raises, what was at the path stays and the draft goes.

    Args:
        path: destination in an existing folder; a file there is replaced.
        flush: whether to have file and folder written to the disk, so that
            the file survives a loss of power.

    Yields:
        The path to write to, beside the destination.

    Raises:
        OSError: if it cannot be renamed; also `tf.errors.OpError` if the path
            is not local.
    """
    folder, name = os.path.split(os.fspath(path))
    temporary = os.path.join(folder, f"{DRAFT_PREFIX}{os.getpid()}-{name}")
    flush = flush and _is_local(temporary)
    try:
        yield temporary

        # The content first: a rename may reach the disk before it.
        if flush:
            _flush(temporary, os.O_RDONLY)
        if _is_local(temporary):
            os.replace(temporary, path)
        else:
            tf.io.gfile.rename(temporary, os.fspath(path), overwrite=True)
    except BaseException:
        with contextlib.suppress(OSError, tf.errors.OpError):
            tf.io.gfile.remove(temporary)
        raise

    # Then the rename. Not every system can open a folder for that.
    if flush and hasattr(os, "O_DIRECTORY"):
        _flush(folder or ".", os.O_RDONLY | os.O_DIRECTORY)


@contextlib.contextmanager
def new_folder(
    path: str | os.PathLike[str], overwrite: bool
) -> Iterator[tuple[str, str]]:
    """Writes a folder, or a single file, aside and names it at the end.

    If anything fails, what was at the path before, which `overwrite` allows,
    is untouched and nothing of the new folder is left.

    Yields:
        The path to write to, a folder or a file, which is not made yet, and
        the path of a folder for temporary files, which is.

    Raises:
        ValueError: if the path exists or cannot be written.
    """
    path = os.fspath(path).rstrip("/") or "/"
    check_free(path, overwrite)
    aside = f"{path}.{uuid.uuid4().hex[:8]}.partial"
    scratch = posixpath.join(aside, "scratch")
    try:
        tf.io.gfile.makedirs(scratch)
    except (tf.errors.OpError, OSError) as error:
        raise ValueError(
            "`path` must be in a folder where you may write. "
            f"Received: path={path!r}; {error}"
        ) from error

    try:
        made = posixpath.join(aside, "made")
        yield made, scratch
        _exchange(made, path, posixpath.join(aside, "before"))
    finally:
        with contextlib.suppress(tf.errors.OpError, OSError):
            tf.io.gfile.rmtree(aside)


def check_free(path: str | os.PathLike[str], overwrite: bool) -> None:
    """Raises a ValueError if something would be overwritten unasked."""
    if tf.io.gfile.exists(path) and not overwrite:
        raise ValueError(
            "`path` must not exist yet. Received: "
            f"path={os.fspath(path)!r}. Pass another path or overwrite=True."
        )


def _exchange(made: str, path: str, before: str) -> None:
    """Puts a folder in the place of another, or leaves that where it was."""
    replaces = tf.io.gfile.exists(path)
    if replaces:
        tf.io.gfile.rename(path, before)
    try:
        tf.io.gfile.rename(made, path)
    except BaseException:
        if replaces:
            tf.io.gfile.rename(before, path)
        raise


def _is_local(path: str) -> bool:
    return "://" not in path


def _flush(path: str, mode: int) -> None:
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
