"""One file that holds arrays and a description of them, whole or not at all.

The file is what `numpy.savez` writes, a zip archive of one `.npy` an array,
and can be read with `numpy.load`. Each member carries a checksum, so that
damage is found wherever it is.
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
# Reading an archive with any one byte changed was seen to raise these.
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
    """A file that is truncated, changed, or something else altogether."""


def write(
    path: str,
    description: Mapping[str, Any],
    arrays: Sequence[np.ndarray],
) -> None:
    """Writes a file, in place of one of the same name only once it is whole.

    Args:
        path: of the file, in an existing folder, local or not.
        description: anything that JSON can hold.
        arrays: of any shapes and dtypes that TensorFlow knows.

    Raises:
        OSError: if it cannot be written; also `tf.errors.OpError` if the
            path is not local. Nothing is left behind.
    """
    members: dict[str, Any] = {
        _DESCRIPTION: np.frombuffer(json.dumps(description).encode(), np.uint8)
    }
    for index, array in enumerate(arrays):
        members[_member(index)] = _as_numpy(array)

    with atomic_files.open_whole(path, flush=True) as file:
        np.savez(file, **members)


class Reader:
    """File, checked from end to end.

    Raises:
        DamagedFileError: if it is not whole.
    """

    def __init__(self, path: str) -> None:
        with _explained(path):
            with tf.io.gfile.GFile(path, "rb") as file:
                stream = io.BytesIO(file.read())

            # Before any number in it is believed.
            broken = zipfile.ZipFile(stream).testzip()
            if broken is not None:
                raise zipfile.BadZipFile(f"wrong checksum of {broken!r}")

            stream.seek(0)
            self._arrays = np.load(stream, allow_pickle=False)
            self.description = json.loads(bytes(self._arrays[_DESCRIPTION]))
        self._path = path

    def array(self, index: int, dtype: tf.DType) -> np.ndarray:
        """Returns one of the arrays, in the dtype that it had."""
        with _explained(self._path):
            array = self._arrays[_member(index)]
            numpy_dtype = np.dtype(dtype.as_numpy_dtype)
            if array.dtype.itemsize != numpy_dtype.itemsize:
                raise ValueError(f"{array.dtype} instead of {numpy_dtype}")
            return array.view(numpy_dtype)


def _member(index: int) -> str:
    return f"array_{index:05d}"


def _as_numpy(array: np.ndarray) -> np.ndarray:
    """Views an array in a dtype that `.npy` files know, bit for bit."""
    if array.dtype.kind in "biufc":
        return array
    # bfloat16 and its kin.
    return array.view(np.dtype(f"u{array.dtype.itemsize}"))


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DamagedFileError(
            f"{path!r} is no whole checkpoint ({type(error).__name__}: {error})"
        ) from error
