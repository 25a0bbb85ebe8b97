"""The program in C of the documentation, compiled and run."""

import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

from tests.support import ROOT
from tests.support import start_python
from tf_rigl import native
from tf_rigl.native import linking
from tf_rigl.native import plan_file
from tf_rigl.native import plan_graph

PAGE = ROOT / "docs" / "plans_in_c.md"
_BLOCK = re.compile(r"^```c\n(.*?)^```", re.MULTILINE | re.DOTALL)
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

pytestmark = [
    pytest.mark.source_tree,
    pytest.mark.skipif(
        not (COMPILER and native.available()),
        reason="needs a C compiler and the native library",
    ),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("c")
    (text,) = _BLOCK.findall(PAGE.read_text("utf-8"))
    source = folder / "run_plan.c"
    source.write_text(text, "utf-8")
    command = [COMPILER, *STRICT, source, *linking.flags(), "-o", "run_plan"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "run_plan"


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    random = np.random.default_rng(0)
    kernel = random.normal(size=(12, 5)).astype("float32")
    dense = plan_graph.Operation(
        "dense",
        "dense",
        (1,),
        2,
        {"activation": "tanh"},
        {"kernel": np.where(random.random(kernel.shape) < 0.8, 0, kernel)},
    )
    flatten = plan_graph.Operation("reshape", "flatten", (0,), 1)
    graph = plan_graph.Graph(
        ((2, 6), (12,), (5,)), (0,), (2,), (flatten, dense)
    )
    path = tmp_path_factory.mktemp("plans") / "model.plan"
    plan_file.write(graph, path)
    return path


def test_same_outputs_in_c(program, plan):
    examples = np.random.default_rng(1).normal(size=(3, 2, 6)).astype("float32")
    done = subprocess.run(
        [program, plan],
        input=examples.tobytes(),
        capture_output=True,
        check=True,
    )
    found = np.loadtxt(done.stdout.decode().splitlines(), "float32")
    # A batch of three may add in another order than batches of one.
    expected = native.Plan(plan)(examples)
    np.testing.assert_allclose(found, expected, 1e-5, 1e-6)
    assert np.abs(expected).max() > 0.1


def test_errors_are_sentences(program, plan, tmp_path):
    damaged = tmp_path / "damaged.plan"
    damaged.write_bytes(plan.read_bytes()[:-1])
    for arguments in ([damaged], [tmp_path / "missing.plan"], []):
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert re.fullmatch(r"[A-Z].*\.\S*\n", done.stderr), done.stderr


def test_flags_of_the_command():
    done = start_python("-m", "tf_rigl.native")
    printed = done.stdout.split()
    assert printed == linking.flags()
    assert not done.stderr
    assert pathlib.Path(native.get_include(), "rigl_plan.h").is_file()
    assert pathlib.Path(native.get_library()).is_file()
    assert printed[:2] == [f"-I{native.get_include()}", native.get_library()]
