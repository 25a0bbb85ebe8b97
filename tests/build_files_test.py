"""The BUILD files cover the tree: every file, every label, every import.

Bazel itself has not run here. BUILD files are Python as far as they go, so
they are read by executing them, with rules that note their arguments.
"""

import functools
import pathlib
import re
import sys
import types

import pytest

from tests import python_source

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOPS = ("benchmarks", "bin", "tests", "tf_rigl", "tools")
RULES = ("filegroup", "license", "py_binary", "py_library", "py_test")
MODULES = {"absl": "absl_py"}  # by import, where Bazel's name is another

pytestmark = pytest.mark.source_tree


class Package:
    """A BUILD file: its targets by name, and what else its labels may name."""

    def __init__(self, path):
        self.folder = path.parent
        self.name = path.parent.relative_to(ROOT).as_posix().strip(".")
        self.targets, self.exported, self.loaded = {}, set(), []
        self._execute(path)

    def label(self, text):
        """Returns a label as `//package:name`; `//a/b` is `//a/b:b`."""
        if not text.startswith(("//", "@")):
            return f"//{self.name}:{text.removeprefix(':')}"
        if ":" in text or text.startswith("@"):
            return text
        return f"{text}:{text.rpartition('/')[2]}"

    def _execute(self, path):
        names = {
            **dict.fromkeys(RULES, self._define),
            "exports_files": lambda files, **_: self.exported.update(files),
            "glob": self._glob,
            "native": types.SimpleNamespace(
                glob=self._glob, package_name=lambda: self.name
            ),
            "package": lambda **_: None,
        }
        names["load"] = functools.partial(self._load, names)
        exec(compile(path.read_text("utf-8"), str(path), "exec"), names)
        return names

    def _load(self, names, file, *loaded):
        self.loaded.append(file)
        if file.startswith("//"):
            found = self._execute(ROOT / file[2:].replace(":", "/"))
            names.update({name: found[name] for name in loaded})

    def _define(self, name, **arguments):
        assert name not in self.targets, f"two targets {name} in {self.folder}"
        labels = {
            key: [*map(self.label, arguments.get(key, ()))]
            for key in ("srcs", "data", "deps")
        }
        if "main" in arguments:
            assert self.label(arguments["main"]) in labels["srcs"]
        self.targets[name] = types.SimpleNamespace(**labels)

    def _glob(self, patterns, exclude=(), allow_empty=False):
        found = [
            name
            for name in self._files
            if matches(name, patterns) and not matches(name, exclude)
        ]
        assert found or allow_empty, (self.name, patterns)
        return found

    @functools.cached_property
    def _files(self):
        folder = self.folder
        return [path.relative_to(folder).as_posix() for path in walk(folder)]


def matches(name, patterns):
    """Whether one of the patterns of `glob` matches; `**/` may be nothing."""
    expressions = (
        "".join(
            {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}.get(
                part, re.escape(part)
            )
            for part in re.split(r"(\*\*/|\*\*|\*)", pattern)
        )
        for pattern in patterns
    )
    return any(re.fullmatch(one, name) for one in expressions)


def walk(folder):
    """Files of a package: through links, as Bazel goes, not into others."""
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield path
        elif not (
            path.name.startswith((".", "__pycache__"))
            or (path / "BUILD").is_file()
        ):
            yield from walk(path)


def nearest_build(path):
    return next(p for p in path.parents if (p / "BUILD").is_file())


@functools.cache
def packages():
    files = [ROOT / "BUILD", *(f for top in TOPS for f in build_files(top))]
    found = map(Package, files)
    return {package.name: package for package in found}


def build_files(top):
    return sorted((ROOT / top).rglob("BUILD"))


@functools.cache
def python_files():
    return [path for top in TOPS for path in sorted((ROOT / top).rglob("*.py"))]


@functools.cache
def targets():
    return {
        f"//{package.name}:{name}": target
        for package in packages().values()
        for name, target in package.targets.items()
    }


def label_of(path):
    folder = nearest_build(path)
    package = folder.relative_to(ROOT).as_posix()
    return f"//{package}:{path.relative_to(folder).as_posix()}"


def library_of(label):
    """The smallest target that has a file; pip's packages as they are."""
    owners = [name for name, t in targets().items() if label in t.srcs]
    sizes = {name: len(targets()[name].srcs) for name in owners}
    return min(owners, key=sizes.get, default=label)


@functools.cache
def wanted(label):
    """Labels of what a file imports: files of ours, and pip's packages."""
    path = ROOT / label[2:].replace(":", "/")
    found = set()
    for imported in python_source.find_imports(path, ROOT):
        ours = python_source.resolve_module(imported.name, ROOT)
        top = imported.name.split(".")[0]
        if ours is not None:
            found.add(label_of(ours))
        # What is ours and not there is of the old commit whose code a program
        # of tests/compatibility runs.
        elif top not in {*sys.stdlib_module_names, *TOPS}:
            found.add(f"@pip//{MODULES.get(top, top)}")
    return found


def reached(label, seen):
    """Adds to `seen` a target, its sources and all that it depends on."""
    if label not in seen:
        seen.add(label)
        target = targets().get(label)
        for dependency in (*target.srcs, *target.deps) if target else ():
            reached(dependency, seen)
    return seen


def is_own_file(label, target):
    package = target.partition(":")[0]
    return (
        label.startswith(f"{package}:")
        and (ROOT / package[2:] / label.partition(":")[2]).is_file()
    )


def test_globs_are_those_of_bazel():
    assert matches("a.py", ["**/*.py"])
    assert matches("a/b/c.py", ["**/*.py"])
    assert matches("results/a/b.png", ["results/**"])
    assert not matches("a/b.py", ["*.py"])
    assert not matches("ab.pyc", ["x", "*.py"])


def home(path):
    """The folder whose BUILD file has the file: a package's has all below."""
    return ROOT.joinpath(*path.relative_to(ROOT).parent.parts[:2])


def test_every_file_has_a_target():
    sources = {src for target in targets().values() for src in target.srcs}
    left_out = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if label_of(path) not in sources or nearest_build(path) != home(path)
    ]
    assert not left_out, (
        f"in no target of their folder: {left_out}. Give a new folder of tests "
        "a BUILD file with `pytest_folder()`, a new package one with "
        "`library()`, as in those beside it."
    )


def test_every_label_resolves():
    known = set(targets()) | {
        package.label(name)
        for package in packages().values()
        for name in package.exported
    }
    lock = (ROOT / "requirements_lock.txt").read_text("utf-8")
    known |= {
        f"@pip//{name.lower().replace('-', '_')}"
        for name in re.findall(r"^([\w-]+)==", lock, re.MULTILINE)
    }
    unknown = {
        f"{name}: {label}"
        for name, target in targets().items()
        for label in (*target.srcs, *target.data, *target.deps)
        if label not in known and not is_own_file(label, name)
    }
    assert not unknown, unknown


def test_every_rule_comes_from_a_module():
    module = (ROOT / "MODULE.bazel").read_text("utf-8")
    for package in packages().values():
        for file in package.loaded:
            name = file.partition("//")[0].removeprefix("@")
            assert not name or f'bazel_dep(name = "{name}"' in module, file


def test_targets_go_in_no_circle():
    graph = {
        name: set(target.deps) & set(targets())
        for name, target in targets().items()
    }
    while leaves := [name for name in graph if not graph[name] & set(graph)]:
        for name in leaves:
            del graph[name]
    assert not graph


def test_libraries_depend_on_what_they_import():
    """Package by package; tests and programs may lean on what these bring."""
    differing = {}
    for name, package in packages().items():
        if not name.startswith("tf_rigl/"):
            continue
        own = f"//{name}:{package.folder.name}"
        library = package.targets[package.folder.name]
        needed = {
            library_of(one) for src in library.srcs for one in wanted(src)
        }
        if needed - {own} != set(library.deps):
            differing[name] = {
                "add": sorted(needed - {own} - set(library.deps)),
                "remove": sorted(set(library.deps) - needed),
            }
    assert not differing, differing


def test_every_import_is_reached():
    missing = {
        f"{name[2:].partition(':')[0]}/BUILD: add {library_of(label)}, which "
        f"{src} imports"
        for name, target in targets().items()
        for src in target.srcs
        if src.endswith(".py")
        for label in wanted(src) - reached(name, set())
    }
    assert not missing, "\n".join(sorted(missing))
