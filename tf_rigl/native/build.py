"""Compiles the native library with the machine's compiler.

`setup.py` runs this file at installation, so it imports the standard library
only. In a checkout, it can be run by itself:

    python tf_rigl/native/build.py
"""

import concurrent.futures
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence

FOLDER = pathlib.Path(__file__).resolve().parent
SOURCES = FOLDER / "src"

# The library, and the operations of TensorFlow, which link to it. They are two
# because TensorFlow notes only what is registered while it loads a file itself,
# and kernels must also load without TensorFlow.
LIBRARY = "librigl.so"
OPS = "librigl_tensorflow.so"

# Not -ffast-math: linked with it, a library switches denormal numbers off for
# the thread that loads it. These give the same speed.
FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-pthread",
    "-fvisibility=hidden",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fassociative-math",
    "-fno-signed-zeros",
)
# Only what glibc gives is left to find at run time.
LINK_FLAGS = ("-shared", "-pthread", "-static-libstdc++", "-static-libgcc")

_AVX2 = ("-mavx2", "-mfma", "-mbmi", "-mbmi2")
_AVX512 = (
    *_AVX2,
    *(f"-mavx512{part}" for part in ("f", "bw", "cd", "dq", "vl")),
    "-mprefer-vector-width=512",
)
# The levels of each machine by the names that `dispatch.cc` uses.
LEVELS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "x86_64": {"sse2": (), "avx2": _AVX2, "avx512": _AVX512},
    "aarch64": {"baseline": ()},
}


# Sources that are compiled once for each level, by their paths in `SOURCES`.
LEVELED = ("kernels.cc", "plan/plan_kernels.cc")


class BuildError(Exception):
    """The library could not be compiled."""


def find_compiler() -> list[str]:
    """Returns the command of a C++ compiler.

    Args of `CXX` are kept, as build tools set it.

    Raises:
        BuildError: if there is none.
    """
    given = os.environ.get("CXX")
    if given:
        return shlex.split(given)
    for name in ("g++", "clang++", "c++"):
        if shutil.which(name):
            return [name]
    raise BuildError("no C++ compiler: neither g++ nor clang++ is installed")


def build(
    target: pathlib.Path,
    compiler: Sequence[str] | None = None,
    machine: str | None = None,
) -> None:
    """Compiles both shared objects into a folder.

    Args:
        target: the folder, which is made if it is missing.
        compiler: the command of a compiler; by default the machine's.
        machine: a key of `LEVELS`; by default this machine.

    Raises:
        BuildError: if there is no compiler, it fails, or the machine is
            another one.
    """
    compiler = compiler or find_compiler()
    with tempfile.TemporaryDirectory() as folder:
        objects = compile_sources(pathlib.Path(folder), compiler, machine)
        ops = [one for one in objects if one.name.startswith("tensorflow_")]
        rest = [one for one in objects if one not in ops]
        target.mkdir(parents=True, exist_ok=True)
        _link(compiler, rest, target / LIBRARY, f"-Wl,-soname,{LIBRARY}")
        _link(
            compiler,
            ops,
            target / OPS,
            f"-L{target}",
            f"-l:{LIBRARY}",
            "-Wl,-rpath,$ORIGIN",
        )


def compile_sources(
    folder: pathlib.Path,
    compiler: Sequence[str],
    machine: str | None = None,
    flags: Sequence[str] = (),
) -> list[pathlib.Path]:
    """Compiles each source, the kernels once for each level.

    Args:
        folder: where to put the objects.
        compiler: the command of a compiler.
        machine: a key of `LEVELS`; by default this machine.
        flags: more flags, which win over `FLAGS`.

    Returns:
        The objects, sorted by name.

    Raises:
        BuildError: if the compiler fails, or the machine is another one.
    """
    machine = machine or platform.machine().replace("arm64", "aarch64")
    if machine not in LEVELS or not sys.platform.startswith("linux"):
        raise BuildError(
            f"there are kernels for {', '.join(LEVELS)} on Linux only"
        )
    includes = f"-I{SOURCES}"
    commands = _commands([*compiler, *FLAGS, *flags, includes], machine, folder)
    with concurrent.futures.ThreadPoolExecutor(_processors()) as pool:
        list(pool.map(_run, commands))
    return sorted(folder.glob("*.o"))


def _commands(
    compiler: Sequence[str], machine: str, folder: pathlib.Path
) -> list[list[str]]:
    """Lists the commands that compile a file each, slow ones first."""
    commands = []
    for level, flags in list(LEVELS[machine].items())[::-1]:
        definition = f"-DRIGL_LEVEL={level}"
        for path in LEVELED:
            name = folder / f"{_stem(path)}_{level}.o"
            source = SOURCES / path
            commands.append(
                [*compiler, *flags, definition, "-c", source, "-o", name]
            )
    for source in sorted(SOURCES.rglob("*.cc")):
        path = source.relative_to(SOURCES).as_posix()
        if path not in LEVELED:
            name = folder / f"{_stem(path)}.o"
            commands.append([*compiler, "-c", source, "-o", name])
    return [list(map(str, command)) for command in commands]


def _stem(path: str) -> str:
    """Returns the name of an object, as in "plan_pool"."""
    return path.removesuffix(".cc").replace("/", "_")


def _link(
    compiler: Sequence[str],
    objects: Sequence[pathlib.Path],
    target: pathlib.Path,
    *flags: str,
) -> None:
    """Links objects and moves the file to its place when it is whole."""
    # A process may be using the old file.
    made = target.with_suffix(".part")
    command = [*compiler, *LINK_FLAGS, *map(str, objects), *flags]
    _run([*command, "-o", str(made)])
    os.replace(made, target)


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise BuildError(f"{command[0]} does not run: {error}") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise BuildError(f"{shlex.join(command)}: {lines[0]}")


def main() -> None:
    """Builds into the package's folder, as an installation in place does."""
    try:
        build(FOLDER)
    except BuildError as error:
        sys.exit(f"The native library was not built: {error}")


if __name__ == "__main__":
    main()
