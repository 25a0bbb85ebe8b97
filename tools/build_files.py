#!/usr/bin/env python3
"""Keeps the BUILD files in step with the Python files and their imports.

Usage: python tools/build_files.py [--check | --write]

Every Python file is one target, whose `deps` are what it imports. Folders
without Python below a package are file groups, which a module gets as `data`
when one of its strings names the folder. Without `--write` nothing changes:
the program lists what is out of step and exits with 1.
"""

import argparse
import pathlib
import re
import sys
from collections.abc import Iterator
from collections.abc import Mapping

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tools import python_source
from tools import starlark

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOP_FOLDERS = ("benchmarks", "bin", "tests", "tf_rigl", "tools")
DATA_FOLDER = "configs"
ROOT_FILES = (
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "requirements.in",
    "requirements_lock.txt",
    "setup.py",
)

HEADER = "# Written by tools/build_files.py --write. Do not edit.\n"
RULES = "@rules_python//python:defs.bzl"
TEST_MAIN = pathlib.PurePath("tools/pytest_main.py")

# The distributions whose name is not that of the module they install.
DISTRIBUTIONS = {"absl": "absl-py"}


class BuildFiles:
    """Generates the BUILD files of a source tree.

    Attributes:
        texts: The text of each BUILD file by its path, relative to the root.
        problems: What the targets cannot express, one sentence each: imports
            in a circle, and imports of what is nowhere to be found.
    """

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.problems: list[str] = []
        self._requirements = _read_requirements(root)
        self._edges: dict[str, list[str]] = {}
        packages = [
            package for top in TOP_FOLDERS for package in self._packages(top)
        ]
        self.texts: dict[pathlib.PurePath, str] = {
            package / "BUILD": self._package_text(package)
            for package in packages
        }
        self.texts[pathlib.PurePath("BUILD")] = self._root_text(packages)
        self.problems += _circles(self._edges)

    def drift(self) -> list[str]:
        """Lists the BUILD files that differ from what they should be."""
        found = []
        for path, text in sorted(self.texts.items()):
            file = self.root / path
            if not file.exists():
                found.append(f"{path} is missing")
            elif file.read_text(encoding="utf-8") != text:
                found.append(f"{path} is out of step")
        found += [f"{path} has no package" for path in self._stale()]
        return found

    def write(self) -> None:
        """Writes all BUILD files and removes those without a package."""
        for path, text in self.texts.items():
            (self.root / path).write_text(text, encoding="utf-8")
        for path in self._stale():
            (self.root / path).unlink()

    def _stale(self) -> list[pathlib.PurePath]:
        existing = (
            file.relative_to(self.root)
            for top in TOP_FOLDERS
            for file in sorted((self.root / top).rglob("BUILD"))
        )
        return [path for path in existing if path not in self.texts]

    def _packages(self, top: str) -> Iterator[pathlib.PurePath]:
        """Finds the folders that hold Python files, in order."""
        folders = {file.parent for file in (self.root / top).rglob("*.py")}
        for folder in sorted(folders):
            yield pathlib.PurePath(folder.relative_to(self.root))

    def _package_text(self, package: pathlib.PurePath) -> str:
        folder = self.root / package
        modules = sorted(folder.glob("*.py"))
        kinds = {module: _kind(module, package) for module in modules}
        parts = [
            HEADER + starlark.load(RULES, set(kinds.values())),
            starlark.call("package", default_visibility=[_visibility(package)]),
        ]
        if exports := _exports(folder, package):
            parts.append(starlark.list_call("exports_files", exports))
        parts += [
            starlark.file_group(name, name) for name in _data_folders(folder)
        ]
        parts += [self._target(path, kind) for path, kind in kinds.items()]
        if "py_test" in kinds.values():
            # Without a list: all tests of the file but those tagged manual.
            parts.append(starlark.call("test_suite", name="tests"))
        self._check_names(package, modules)
        return "\n".join(parts)

    def _root_text(self, packages: list[pathlib.PurePath]) -> str:
        root = pathlib.PurePath()
        suites = [
            starlark.label(package, "tests", seen_from=root)
            for package in packages
            if any((self.root / package).glob("*_test.py"))
        ]
        parts = [
            HEADER
            + starlark.load("@rules_license//rules:license.bzl", ["license"]),
            starlark.call(
                "package",
                default_applicable_licenses=[":license"],
                default_visibility=["//visibility:public"],
            ),
            starlark.call(
                "license",
                name="license",
                package_name="tf_rigl",
                license_kinds=["@rules_license//licenses/spdx:Apache-2.0"],
                license_text="LICENSE",
            ),
            starlark.list_call(
                "exports_files",
                [name for name in ROOT_FILES if (self.root / name).exists()],
            ),
        ]
        if _has_files(self.root / DATA_FOLDER):
            parts.append(starlark.file_group(DATA_FOLDER, DATA_FOLDER))
        if suites:
            parts.append(
                starlark.call(
                    "test_suite",
                    name="tests",
                    tests=starlark.sort_labels(suites),
                )
            )
        return "\n".join(parts)

    def _target(self, path: pathlib.Path, kind: str) -> str:
        package = pathlib.PurePath(path.parent.relative_to(self.root))
        deps = self._deps(path, package)
        data = self._data(path, package)
        if kind == "py_test":
            return self._test_target(path, package, deps, data)
        name = _target_name(path)
        return starlark.call(
            kind,
            name=name,
            testonly=package.parts[0] == "tests",
            srcs=[path.name],
            data=starlark.sort_labels(data),
            deps=starlark.sort_labels(deps),
        )

    def _test_target(
        self,
        path: pathlib.Path,
        package: pathlib.PurePath,
        deps: set[str],
        data: set[str],
    ) -> str:
        main = starlark.label(TEST_MAIN.parent, TEST_MAIN.name, package)
        deps |= self._deps(self.root / TEST_MAIN, package)
        deps |= self._conftests(package)
        # pytest finds its settings beside the tests' common parent.
        data.add("//:pyproject.toml")
        # A sandbox has no checkout to read; `bin/test` runs these tests.
        needs_checkout = python_source.has_attribute(path, "source_tree")
        return starlark.call(
            "py_test",
            name=path.stem,
            srcs=starlark.sort_labels([path.name, main]),
            args=[f"$(rootpath {path.name})"],
            data=starlark.sort_labels(data),
            main=main,
            tags=["manual"] if needs_checkout else [],
            deps=starlark.sort_labels(deps),
        )

    def _deps(self, path: pathlib.Path, package: pathlib.PurePath) -> set[str]:
        labels = set()
        for imported in python_source.find_imports(path, self.root):
            # Imports for the type checker do not happen at run time, and may
            # go in a circle, which Bazel refuses.
            if imported.typing_only:
                continue
            own = python_source.resolve_module(imported.name, self.root)
            if own is None:
                labels |= self._requirement(path, imported.name)
            elif own != path:
                labels.add(self._label(own, package))
                self._add_edge(path, own)
        return labels

    def _requirement(self, path: pathlib.Path, name: str) -> set[str]:
        top = name.split(".")[0]
        if top in sys.stdlib_module_names:
            return set()
        file = path.relative_to(self.root)
        if top in TOP_FOLDERS:
            self.problems.append(f"{file} imports {name}, which is not there")
            return set()
        distribution = _normalise(DISTRIBUTIONS.get(top, top))
        if distribution not in self._requirements:
            self.problems.append(
                f"{file} imports {name}, which requirements.in does not list"
            )
        return {f"@pip//{distribution}"}

    def _conftests(self, package: pathlib.PurePath) -> set[str]:
        return {
            self._label(file, package)
            for folder in (package, *package.parents)
            if (file := self.root / folder / "conftest.py").exists()
        }

    def _data(self, path: pathlib.Path, package: pathlib.PurePath) -> set[str]:
        words = python_source.words_of_strings(path)
        labels = {
            f":{name}" for name in _data_folders(path.parent) if name in words
        }
        if DATA_FOLDER in words and _has_files(self.root / DATA_FOLDER):
            root = pathlib.PurePath()
            labels.add(starlark.label(root, DATA_FOLDER, seen_from=package))
        return labels

    def _label(self, path: pathlib.Path, seen_from: pathlib.PurePath) -> str:
        package = pathlib.PurePath(path.parent.relative_to(self.root))
        return starlark.label(package, _target_name(path), seen_from)

    def _add_edge(self, path: pathlib.Path, imported: pathlib.Path) -> None:
        source, target = (
            file.relative_to(self.root).as_posix() for file in (path, imported)
        )
        self._edges.setdefault(source, []).append(target)

    def _check_names(
        self, package: pathlib.PurePath, modules: list[pathlib.Path]
    ) -> None:
        names = [_target_name(module) for module in modules]
        names += _data_folders(self.root / package)
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.problems.append(
                f"two targets of {package}/BUILD would be called {name}"
            )


def _target_name(path: pathlib.Path) -> str:
    return path.parent.name if path.name == "__init__.py" else path.stem


def _kind(path: pathlib.Path, package: pathlib.PurePath) -> str:
    top = package.parts[0]
    if top == "tests" and path.name.endswith("_test.py"):
        return "py_test"
    is_program = top in ("benchmarks", "tools") and python_source.has_main(path)
    return "py_binary" if top == "bin" or is_program else "py_library"


def _visibility(package: pathlib.PurePath) -> str:
    if package.parts[0] == "tf_rigl":
        return "//visibility:public"
    return "//:__subpackages__"


def _exports(folder: pathlib.Path, package: pathlib.PurePath) -> list[str]:
    """Names the files that are no targets but that labels may name."""
    files = [
        file.name
        for file in folder.iterdir()
        if file.is_file()
        and file.suffix not in (".py", ".pyc")
        and not file.name.startswith(".")
        and file.name != "BUILD"
    ]
    return files + [TEST_MAIN.name] * (package == TEST_MAIN.parent)


def _data_folders(folder: pathlib.Path) -> list[str]:
    return sorted(
        child.name
        for child in folder.iterdir()
        if _has_files(child) and not any(child.rglob("*.py"))
    )


def _has_files(folder: pathlib.Path) -> bool:
    """Whether a folder holds more than a BUILD file and Python's cache."""
    return any(
        file.is_file()
        and file.name != "BUILD"
        and "__pycache__" not in file.parts
        for file in folder.rglob("*")
    )


def _read_requirements(root: pathlib.Path) -> set[str]:
    lines = (root / "requirements.in").read_text(encoding="utf-8").splitlines()
    return {
        _normalise(match.group())
        for line in lines
        if (match := re.match(r"[A-Za-z0-9][\w.-]*", line))
    }


def _normalise(distribution: str) -> str:
    return re.sub(r"[-_.]+", "_", distribution).lower()


def _circles(edges: Mapping[str, list[str]]) -> list[str]:
    """Reports each file that imports itself through others."""
    found = []
    for start in sorted(edges):
        reached: set[str] = set()
        waiting = list(edges[start])
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += edges.get(name, [])
        if start in reached:
            found.append(f"{start} imports itself through others")
    return found


def main() -> int:
    """Runs the program; returns its exit status."""
    parser = argparse.ArgumentParser(
        description="Keeps the BUILD files in step with the Python files."
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--check", action="store_true", help="only report (the default)"
    )
    mode.add_argument("--write", action="store_true", help="write the files")
    write = parser.parse_args().write
    build_files = BuildFiles(ROOT)
    if write:
        build_files.write()
    complaints = build_files.problems + build_files.drift()
    for complaint in complaints:
        print(complaint)
    if build_files.drift():
        print("Run `python tools/build_files.py --write`.")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
