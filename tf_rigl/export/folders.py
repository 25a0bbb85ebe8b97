"""Folders and files that appear whole or not at all."""

import contextlib
import os
import posixpath
import uuid
from collections.abc import Iterator

import tensorflow as tf


@contextlib.contextmanager
def new_folder(
    path: str | os.PathLike[str], overwrite: bool
) -> Iterator[tuple[str, str]]:
    """Writes a folder, or a single file, aside; names it at the end.

    Where anything fails, what was at the path before is untouched and
    nothing of the new folder is left. Paths are those of `tf.io.gfile`,
    remote ones included.

    Args:
        path: of the folder or file, which must not exist unless `overwrite`.
        overwrite: whether to replace what is there.

    Yields:
        The paths of what is to be, a folder or a file, not made yet, and of
        a folder for temporary files, made.

    Raises:
        ValueError: if the path exists or cannot be written.
    """
    path = os.fspath(path).rstrip("/") or "/"
    if tf.io.gfile.exists(path) and not overwrite:
        raise ValueError(
            "`path` must not exist, lest something be lost. Received: "
            f"path={path!r}. Pass another path or overwrite=True."
        )
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
        _move(made, path, posixpath.join(aside, "before"))
    finally:
        with contextlib.suppress(tf.errors.OpError, OSError):
            tf.io.gfile.rmtree(aside)


def folder_bytes(path: str | os.PathLike[str]) -> int:
    """Adds up the sizes of the files below a folder."""
    return sum(
        tf.io.gfile.stat(posixpath.join(folder, file)).length
        for folder, _, files in tf.io.gfile.walk(os.fspath(path))
        for file in files
    )


def _move(made: str, path: str, before: str) -> None:
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
