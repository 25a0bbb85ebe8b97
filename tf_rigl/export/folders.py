"""Sizes of folders."""

import os
import posixpath

import tensorflow as tf


def folder_bytes(path: str | os.PathLike[str]) -> int:
    """Returns the total size in bytes of the files below a folder.

    The folder may be local or anything that `tf.io.gfile` reads.
    """
    return sum(
        tf.io.gfile.stat(posixpath.join(folder, file)).length
        for folder, _, files in tf.io.gfile.walk(os.fspath(path))
        for file in files
    )
