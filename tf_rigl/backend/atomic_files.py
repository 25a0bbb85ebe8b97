"""Files and folders that are written completely or not at all.

Content is written under a temporary name in the same folder and then renamed,
so a process killed at any moment leaves the previous content intact. Paths are
those of `tf.io.gfile`, including remote ones; local paths use Python's own
functions, which raise `OSError`.
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

# Prefix of temporary names. They keep the suffix of the final name, because
# Keras derives the format from it.
DRAFT_PREFIX = ".draft-"


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Writes JSON to a file atomically."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Writes text to a file in UTF-8 atomically."""
    with open_whole(path) as file:
        file.write(content.encode())


@contextlib.contextmanager
def open_whole(
    path: str | os.PathLike[str], flush: bool = False
) -> Iterator[IO[bytes]]:
    """Opens a file that appears at `path` once the block ends; see `draft`."""
    with draft(path, flush) as aside:
        open_aside: Any = open if _is_local(aside) else tf.io.gfile.GFile
        with open_aside(aside, "wb") as file:
            yield file


@contextlib.contextmanager
def draft(path: str | os.PathLike[str], flush: bool = False) -> Iterator[str]:
    """Yields a temporary path and renames it to `path` if the block succeeds.

    If the block raises, the draft is removed and `path` is left untouched.

    Args:
        path: destination in an existing folder; an existing file is replaced.
        flush: whether to flush the file and its folder to disk, so that the
            file survives a power failure.

    Yields:
        The path to write to, beside the destination.

    Raises:
        OSError: if the draft cannot be renamed; `tf.errors.OpError` if the path
            is remote.
    """
    folder, name = os.path.split(os.fspath(path))
    temporary = os.path.join(folder, f"{DRAFT_PREFIX}{os.getpid()}-{name}")
    flush = flush and _is_local(temporary)
    try:
        yield temporary

        # Flush the content first, or the rename may reach the disk before it.
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

    # Then flush the rename, on systems that can open a folder.
    if flush and hasattr(os, "O_DIRECTORY"):
        _flush(folder or ".", os.O_RDONLY | os.O_DIRECTORY)


@contextlib.contextmanager
def new_folder(
    path: str | os.PathLike[str], overwrite: bool
) -> Iterator[tuple[str, str]]:
    """Yields a temporary path for a folder or file that becomes `path`.

    If anything fails, existing content at `path`, which requires `overwrite`,
    is left untouched, and nothing of the new folder remains.

    Yields:
        The path to write the folder or file to, which does not exist yet, and
        the path of an existing scratch folder for temporary files.

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
    """Raises a ValueError if `path` exists and `overwrite` is false."""
    if tf.io.gfile.exists(path) and not overwrite:
        raise ValueError(
            "`path` must not exist yet. Received: "
            f"path={os.fspath(path)!r}. Pass another path, or overwrite=True "
            "(`--overwrite` on the command line)."
        )


def _exchange(made: str, path: str, before: str) -> None:
    """Moves `made` to `path`; restores the existing content on failure."""
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
