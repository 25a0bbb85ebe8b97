"""The BUILD files follow the Python files and their imports."""

import ast
import pathlib
import shutil
import textwrap

import pytest

from tools import build_files
from tools import python_source
from tools import starlark

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(name="tree")
def tree_fixture(tmp_path):
    """A small source tree with one package, one program and one test."""
    files = {
        "requirements.in": "absl-py>=1\nnumpy\npytest\ntf_keras\n",
        "tf_rigl/__init__.py": "from tf_rigl.core.mask import count as count",
        "tf_rigl/core/__init__.py": "",
        "tf_rigl/core/mask.py": "import os\nimport numpy as np\n",
        "bin/train.py": """
            from absl import flags
            from tf_rigl.core import mask
            def f():
                import importlib
                importlib.import_module("tf_keras.layers")
            """,
        "bin/go": "#!/bin/sh\n",
        "tests/conftest.py": "import pytest\n",
        "tests/core/mask_test.py": "from tf_rigl.core.mask import count\n",
        "tools/pytest_main.py": "import pytest\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path


@pytest.mark.source_tree
def test_build_files_are_in_step():
    current = build_files.BuildFiles(ROOT)
    assert current.problems == []
    assert current.drift() == [], "python tools/build_files.py --write"


@pytest.mark.source_tree
def test_sources_of_targets_exist():
    # Calls of the BUILD language are valid Python.
    checked = 0
    for path in build_files.BuildFiles(ROOT).texts:
        for source in _literal_sources(ROOT / path):
            folder, _, name = source.rpartition(":")
            file = ROOT / (folder.lstrip("/") or path.parent) / name
            assert file.is_file(), f"{path} names {source}"
            checked += 1
    assert checked


def test_targets_and_dependencies(tree):
    texts = build_files.BuildFiles(tree).texts
    assert set(map(str, texts)) == {
        "BUILD",
        "bin/BUILD",
        "tests/BUILD",
        "tests/core/BUILD",
        "tf_rigl/BUILD",
        "tf_rigl/core/BUILD",
        "tools/BUILD",
    }
    program = texts[pathlib.PurePath("bin/BUILD")]
    assert 'exports_files(["go"])' in program
    assert program.endswith(
        textwrap.dedent(
            """
            py_binary(
                name = "train",
                srcs = ["train.py"],
                deps = [
                    "//tf_rigl/core:mask",
                    "@pip//absl_py",
                    "@pip//tf_keras",
                ],
            )
            """
        )
    )
    assert texts[pathlib.PurePath("tests/core/BUILD")].endswith(
        textwrap.dedent(
            """
            py_test(
                name = "mask_test",
                srcs = [
                    "mask_test.py",
                    "//tools:pytest_main.py",
                ],
                args = ["$(rootpath mask_test.py)"],
                data = ["//:pyproject.toml"],
                main = "//tools:pytest_main.py",
                deps = [
                    "//tests:conftest",
                    "//tf_rigl/core:mask",
                    "@pip//pytest",
                ],
            )

            test_suite(name = "tests")
            """
        )
    )
    root = texts[pathlib.PurePath("BUILD")]
    assert 'tests = ["//tests/core:tests"]' in root


def test_write_then_check_then_drift(tree):
    before = build_files.BuildFiles(tree)
    assert len(before.drift()) == len(before.texts)
    before.write()
    assert build_files.BuildFiles(tree).drift() == []
    (tree / "tf_rigl/core/mask.py").write_text("import os\n")
    shutil.rmtree(tree / "tests/core")
    (tree / "tests/core").mkdir()
    (tree / "tests/core/BUILD").touch()
    assert build_files.BuildFiles(tree).drift() == [
        "BUILD is out of step",
        "tf_rigl/core/BUILD is out of step",
        "tests/core/BUILD has no package",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("import torch\n", "torch, which requirements.in does not list"),
        ("import tools.missing\n", "tools.missing, which is not there"),
        ("from tf_rigl import core\n", "imports itself through others"),
    ],
)
def test_problems(tree, text, problem):
    (tree / "tf_rigl/core/__init__.py").write_text(
        "from tf_rigl.core import mask\n"
    )
    (tree / "tf_rigl/core/mask.py").write_text(text)
    problems = build_files.BuildFiles(tree).problems
    assert any(problem in found for found in problems)


def test_imports_of_every_form(tmp_path):
    path = tmp_path / "tf_rigl/core/mask.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        textwrap.dedent(
            """
            import a.b, c as d
            from e.f import g
            from . import h
            from ..i import j
            if typing.TYPE_CHECKING:
                import k
            else:
                import l
            def function():
                from m import n
                importlib.import_module("o.p")
            """
        )
    )
    found = python_source.find_imports(path, tmp_path)
    assert [imported.name for imported in found] == [
        "a.b",
        "c",
        "e.f.g",
        "tf_rigl.core.h",
        "tf_rigl.i.j",
        "k",
        "l",
        "m.n",
        "o.p",
    ]
    assert [imported.name for imported in found if imported.typing_only] == [
        "k"
    ]


def test_labels_are_sorted_as_buildifier_sorts_them():
    assert starlark.sort_labels(
        ["@pip//a", "//b:c", "//b/a", ":z", "x.py", "//b", "//b:c"]
    ) == ["x.py", ":z", "//b", "//b:c", "//b/a", "@pip//a"]


def _literal_sources(path):
    for node in ast.walk(python_source.parse(path)):
        if not isinstance(node, ast.keyword) or node.arg != "srcs":
            continue
        # Else a glob, whose pattern names whatever there is.
        if isinstance(node.value, ast.List):
            yield from (item.value for item in node.value.elts)
