"""BUILD files cover every package, program and test folder.

Bazel itself has not run here. BUILD files are Python as far as they go, so
they are read by executing them, with rules that note their arguments.
"""

import itertools
import pathlib
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOPS = ("benchmarks", "bin", "tests", "tf_rigl", "tools")

pytestmark = pytest.mark.source_tree


def targets(folder):
    """Executes the BUILD file of a folder; returns its targets by name."""
    found = {}

    def rule(name, deps=(), **_):
        assert name not in found, f"two targets {name} in {folder}"
        found[name] = [dep for dep in deps if dep.startswith("//")]

    def glob(patterns, exclude=(), **_):
        return [
            path.relative_to(folder).as_posix()
            for pattern in patterns
            for path in sorted(folder.glob(pattern))
            if path.name not in exclude
        ]

    def library(deps=(), **_):
        rule(folder.name, deps)

    def pytest_folder(deps=(), helpers=(), **_):
        rule("support", deps)
        rule("tests", helpers)

    rules = (
        "cc_binary",
        "cc_library",
        "filegroup",
        "license",
        "py_binary",
        "py_library",
        "py_test",
    )
    names = {
        **dict.fromkeys(rules, rule),
        "exports_files": lambda files: None,
        "glob": glob,
        "library": library,
        "load": lambda *names: None,
        "native": types.SimpleNamespace(glob=glob),
        "package": lambda **_: None,
        "pytest_folder": pytest_folder,
        "select": lambda choices: next(iter(choices.values())),
    }
    exec((folder / "BUILD").read_text(encoding="utf-8"), names)
    return found


def folders(top):
    """Packages and test folders: one level below `tf_rigl` and `tests`."""
    below = (ROOT / top).iterdir() if top in ("tests", "tf_rigl") else ()
    return [
        folder
        for folder in (ROOT / top, *below)
        if folder.is_dir() and any(folder.rglob("*.py"))
    ]


@pytest.mark.parametrize("top", TOPS)
def test_every_folder_has_a_build_file(top):
    missing = [
        f"{folder.relative_to(ROOT)}/BUILD"
        for folder in folders(top)
        if not (folder / "BUILD").is_file()
    ]
    assert not missing, f"write {missing}, as those beside them"


@pytest.mark.parametrize("top", TOPS)
def test_labels_resolve(top):
    for folder in folders(top):
        labels = itertools.chain.from_iterable(targets(folder).values())
        for label in labels:
            package, _, name = label[2:].partition(":")
            known = targets(ROOT / package)
            assert (name or pathlib.Path(package).name) in known, label


def test_every_program_has_a_target():
    programs = {path.stem for path in (ROOT / "bin").glob("*.py")}
    assert programs <= set(targets(ROOT / "bin"))
