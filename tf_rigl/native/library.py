"""Finds and loads the shared library, without TensorFlow.

It is looked for when it is first asked for, and stays loaded. Whether it is
*used* can change at any time, by `use`.
"""

import ctypes
import functools
import pathlib
from typing import NamedTuple

from tf_rigl.native import build

# `kRiglInterface` in rigl.h. A library of another one was built of other
# sources, and is not used.
_INTERFACE = 2

_FOLDER = pathlib.Path(__file__).resolve().parent
_REBUILD = f"python {build.__file__}"

# Whether programs want the library, where there is one.
_wanted = True


class _Loaded(NamedTuple):
    """A library, or why there is none."""

    library: ctypes.CDLL | None
    reason: str


def available() -> bool:
    """Returns whether the library is there, works, and is not switched off."""
    return _wanted and _load().library is not None


def why_unavailable() -> str:
    """Says why `available` is False, and what can be done; else ""."""
    if not _wanted:
        return "It was switched off, by `tf_rigl.native.use(False)`."
    return _load().reason


def use(wanted: bool) -> None:
    """Switches the library off for this process, or on again.

    What has been built with it, as layers in compressed storage, still needs
    it. The library reads no environment variable; programs may, and call this
    before they build a model.

    Args:
        wanted: False to do without it. True, the default, uses it where it is.
    """
    global _wanted
    _wanted = wanted


def find() -> ctypes.CDLL:
    """Returns the library, also if it is switched off.

    Raises:
        RuntimeError: if there is none.
    """
    loaded = _load()
    if loaded.library is None:
        raise RuntimeError(
            "The native library must be there. Received: " + loaded.reason
        )
    return loaded.library


def path_of_ops() -> pathlib.Path | None:
    """Returns the file of TensorFlow operations; None without the library."""
    path = _FOLDER / build.OPS
    return path if _load().library is not None and path.exists() else None


def set_threads(count: int) -> None:
    """Sets how many threads a call may use: 0 for as many as there are cores.

    No result depends on it.
    """
    find().rigl_set_threads(count)


def threads() -> int:
    """Returns how many threads a call may use."""
    return int(find().rigl_threads())


def cap_level(highest: int) -> str:
    """Limits the vector instructions, for tests and measurements.

    Args:
        highest: 0 for SSE2 (or NEON), 1 for AVX2, 2 for AVX-512. Those that the
            machine does not have are never used.

    Returns:
        The name of the level in use from now on: "sse2", "avx2", "avx512", or
        "baseline" on other machines.
    """
    find().rigl_cap_level(highest)
    return str(find().rigl_level_name().decode())


@functools.cache
def _load() -> _Loaded:
    path = _FOLDER / build.LIBRARY
    if not path.exists():
        return _Loaded(
            None,
            "It was not compiled at installation, which needs g++ or clang++. "
            f"Install one and run `{_REBUILD}`.",
        )
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        return _Loaded(None, f"It does not load: {error}. Run `{_REBUILD}`.")
    if library.rigl_interface() != _INTERFACE:
        return _Loaded(None, f"It is of another version. Run `{_REBUILD}`.")
    library.rigl_level_name.restype = ctypes.c_char_p
    return _Loaded(library, "")
