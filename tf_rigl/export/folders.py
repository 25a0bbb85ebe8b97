"""Sizes of folders."""

import os
import posixpath

import tensorflow as tf


def folder_bytes(path: str | os.PathLike[str]) -> int:
    """Adds up the sizes of the files below a folder, local or remote."""
    return sum(
        tf.io.gfile.stat(posixpath.join(folder, file)).length
        for folder, _, files in tf.io.gfile.walk(os.fspath(path))
        for file in files
    )
