"""Keeps other processes out of a folder."""

import contextlib
import fcntl
import os
import pathlib
from collections.abc import Iterator

_LOCK = ".lock"


@contextlib.contextmanager
def locked(path: pathlib.Path, name: str, user: str) -> Iterator[None]:
    """Keeps other processes out of a folder meanwhile; see `lock_folder`."""
    lock = lock_folder(path, name, user)
    try:
        yield
    finally:
        os.close(lock)


def lock_folder(path: pathlib.Path, name: str, user: str) -> int:
    """Makes a folder and takes it, until the end of this process at most.

    Args:
        path: the folder.
        name: the argument that names it, for errors.
        user: what uses the folder, for errors.

    Returns:
        A file descriptor; `os.close` lets others in.

    Raises:
        ValueError: if the folder cannot be made or written, or another process
            has it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ValueError(
            f"`{name}` must be a folder that can be written. Received: "
            f"{name}={str(path)!r} ({error.strerror})."
        ) from error

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise ValueError(
            f"`{name}` must not be in use by another {user}. Received: "
            f"{name}={str(path)!r}. Wait for that {user}, or pass another "
            "folder."
        ) from error
    return lock
