"""Where programs in C and C++ find the library that runs plans.

    cc run_plan.c $(python -m tf_rigl.native) -o run_plan

Both files come with the package. `rigl_plan.h` is the whole interface, and the
library needs nothing but the C library, so that the two may also be copied.
"""

import pathlib

from tf_rigl.native import build
from tf_rigl.native import library

_FOLDER = pathlib.Path(__file__).resolve().parent


def get_include() -> str:
    """Returns the folder of the header `rigl_plan.h`."""
    return str(_FOLDER / build.SOURCES.name)


def get_library() -> str:
    """Returns the path of the shared library.

    Raises:
        RuntimeError: if there is none.
    """
    library.find()
    return str(_FOLDER / build.LIBRARY)


def flags() -> list[str]:
    """Returns what a compiler needs to build a program that runs plans.

    The program finds the library where it is now.

    Raises:
        RuntimeError: if there is no library.
    """
    return [
        f"-I{get_include()}",
        get_library(),
        f"-Wl,-rpath,{_FOLDER}",
    ]
