"""What is published: names, versions, dependencies and tidy files."""

import ast
import importlib.metadata
import pathlib
import re
import runpy
import subprocess

import pytest
import setuptools

import tf_rigl
from tf_rigl import version
from tools import python_source

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(name="setup_arguments", scope="module")
def setup_arguments_fixture():
    """The arguments that setup.py passes to setuptools."""
    received = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(setuptools, "setup", lambda **kw: received.update(kw))
        runpy.run_path(str(ROOT / "setup.py"))
    return received


def test_version_of_the_package():
    assert tf_rigl.__version__ == version.__version__


def test_version_of_the_installation():
    try:
        installed = importlib.metadata.version("tf_rigl")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from the sources, without an installation")
    assert installed == version.__version__


@pytest.mark.source_tree
def test_version_of_setup_and_module(setup_arguments):
    assert setup_arguments["version"] == version.__version__
    module = (ROOT / "MODULE.bazel").read_text(encoding="utf-8")
    assert f'    version = "{version.__version__}",' in module


@pytest.mark.source_tree
def test_every_package_is_shipped(setup_arguments):
    folders = {path.parent for path in (ROOT / "tf_rigl").rglob("*.py")}
    packages = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(setup_arguments["packages"]) == packages


@pytest.mark.source_tree
def test_every_data_file_is_shipped(setup_arguments):
    shipped = {
        path
        for package, patterns in setup_arguments["package_data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    listing = subprocess.run(
        ["git", "ls-files", "-z", "tf_rigl"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    names = listing.stdout.split("\0")[:-1]
    data = {
        ROOT / name for name in names if not name.endswith((".py", "BUILD"))
    }
    assert data == shipped


@pytest.mark.source_tree
def test_requirements_of_bazel_are_those_of_setup(setup_arguments):
    expected = {
        *setup_arguments["install_requires"],
        *setup_arguments["extras_require"]["test"],
    }
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if not line.startswith("#")} == expected


@pytest.mark.source_tree
def test_library_has_no_assert():
    # `python -O` removes them, and the check with them.
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "tf_rigl").rglob("*.py"))
        for node in ast.walk(python_source.parse(path))
        if isinstance(node, ast.Assert)
    ]
    assert not found, "\n".join(found)


@pytest.mark.source_tree
def test_no_file_names_a_folder_of_one_machine():
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    names = listing.stdout.decode().split("\0")[:-1]
    assert names
    tops = b"|".join((b"work", b"root", b"home", b"opt"))
    pattern = re.compile(rb"(?<![\w./$}~-])/(?:" + tops + rb")/[\w.-]")
    found = [
        name
        for name in names
        if (ROOT / name).is_file()
        and pattern.search((ROOT / name).read_bytes())
    ]
    assert not found, f"absolute paths in {found}"
