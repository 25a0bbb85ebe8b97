"""Prints calls of a BUILD file in the form that buildifier gives them.

The order of a call's arguments is the caller's affair; buildifier wants
`name`, `size`, `testonly`, `srcs`, then by alphabet, and `deps` last.
"""

import pathlib
from collections.abc import Iterable

Value = str | bool | list[str]


def call(function: str, **arguments: Value) -> str:
    """Prints a call with named arguments, without those that are empty."""
    pairs = [
        f"{name} = {_value(value, indent=4)}"
        for name, value in arguments.items()
        if value
    ]
    if len(pairs) == 1:
        return f"{function}({pairs[0]})\n"
    return "".join(
        (f"{function}(\n", *(f"    {pair},\n" for pair in pairs), ")\n")
    )


def list_call(function: str, items: Iterable[str]) -> str:
    """Prints a call with one list as its only argument."""
    return f"{function}({_value(sorted(items), indent=0)})\n"


def file_group(name: str, folder: str) -> str:
    """Prints the target of all files below a folder."""
    pattern = f"{folder}/**"
    return (
        "filegroup(\n"
        f'    name = "{name}",\n'
        f'    srcs = glob(["{pattern}"]),\n'
        ")\n"
    )


def load(bzl_file: str, functions: Iterable[str]) -> str:
    """Prints the import of functions from a .bzl file."""
    names = ", ".join(f'"{name}"' for name in (bzl_file, *sorted(functions)))
    return f"load({names})\n"


def label(
    package: pathlib.PurePath, name: str, seen_from: pathlib.PurePath
) -> str:
    """Names a target in the shortest form.

    Args:
        package: Folder of the target, relative to the root.
        name: The target.
        seen_from: Folder of the BUILD file that uses the name.

    Returns:
        Such as `:schedules`, `//tf_rigl/core:schedules` or `//tf_rigl/core`.
    """
    if package == seen_from:
        return f":{name}"
    folder = "" if package == pathlib.PurePath() else package.as_posix()
    if package.name == name:
        return f"//{folder}"
    return f"//{folder}:{name}"


def sort_labels(labels: Iterable[str]) -> list[str]:
    """Sorts files and labels: files, own package, other packages, others."""
    return sorted(set(labels), key=_label_key)


def _label_key(text: str) -> tuple[int, list[str], str]:
    if text.startswith(":"):
        phase = 1
    elif text.startswith("//"):
        phase = 2
    elif text.startswith("@"):
        phase = 3
    else:
        phase = 0
    return phase, text.replace(":", ".").split("."), text


def _value(value: Value, indent: int) -> str:
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return f'"{value}"'
    if len(value) == 1:
        return f'["{value[0]}"]'
    margin = " " * indent
    items = "".join(f'{margin}    "{item}",\n' for item in value)
    return f"[\n{items}{margin}]"
