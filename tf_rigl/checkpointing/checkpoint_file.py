"""The checkpoint file: arrays and their description, written atomically.

It has the format of `numpy.savez`, a zip archive with one `.npy` per array, and
can be read by `numpy.load`. Each member has a checksum, so damage anywhere in
the file is found.
"""

import contextlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_rigl.backend import atomic_files

_DESCRIPTION = "description"
# Reading archives with a single byte changed has raised each of these.
_DAMAGE = (
    OSError,
    EOFError,
    KeyError,
    MemoryError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    tf.errors.OpError,
    zipfile.BadZipFile,
    zlib.error,
)


class DamagedFileError(ValueError):
    """Raised for a file that is truncated, altered, or not a checkpoint."""


def write(
    path: str,
    description: Mapping[str, Any],
    arrays: Sequence[np.ndarray],
) -> None:
    """Writes a file and, once it is complete, replaces any former one by it.

    Args:
        path: the path of the file, local or not; its folder must exist.
        description: a JSON object.
        arrays: arrays of any shapes and of any dtypes of TensorFlow.

    Raises:
        OSError: if the file cannot be written, or a `tf.errors.OpError` if
            the path is not local. No partial file is left behind.
    """
    members: dict[str, Any] = {
        _DESCRIPTION: np.frombuffer(json.dumps(description).encode(), np.uint8)
    }
    for index, array in enumerate(arrays):
        members[_member(index)] = _as_numpy(array)

    with atomic_files.open_whole(path, flush=True) as file:
        np.savez(file, **members)


class Reader:
    """Reads a checkpoint file, having verified all of it.

    Raises:
        DamagedFileError: if the file is damaged or not a checkpoint.
    """

    def __init__(self, path: str) -> None:
        with _explained(path):
            with tf.io.gfile.GFile(path, "rb") as file:
                stream = io.BytesIO(file.read())

            # Verify all checksums before any size in the file is trusted.
            broken = zipfile.ZipFile(stream).testzip()
            if broken is not None:
                raise zipfile.BadZipFile(f"wrong checksum of {broken!r}")

            stream.seek(0)
            self._arrays = np.load(stream, allow_pickle=False)
            self.description = json.loads(bytes(self._arrays[_DESCRIPTION]))
        self._path = path

    def array(self, index: int, dtype: tf.DType) -> np.ndarray:
        """Returns an array by its index, in the dtype that it had."""
        with _explained(self._path):
            array = self._arrays[_member(index)]
            numpy_dtype = np.dtype(dtype.as_numpy_dtype)
            if array.dtype.itemsize != numpy_dtype.itemsize:
                raise ValueError(f"{array.dtype} instead of {numpy_dtype}")
            return array.view(numpy_dtype)


def _member(index: int) -> str:
    return f"array_{index:05d}"


def _as_numpy(array: np.ndarray) -> np.ndarray:
    """Views an array in a dtype that `.npy` files support, bit for bit."""
    if array.dtype.kind in "biufc":
        return array
    # bfloat16 and the 8-bit floats become unsigned integers.
    return array.view(np.dtype(f"u{array.dtype.itemsize}"))


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DamagedFileError(
            f"{path!r} is no whole checkpoint ({type(error).__name__}: {error})"
        ) from error
