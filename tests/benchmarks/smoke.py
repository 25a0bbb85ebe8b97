"""Runs of benchmarks as short as can be."""

import json

from tests.support import ROOT
from tests.support import run_python


def run(program, *arguments, cwd):
    flags = ["--smoke", "--json=figures.json", *arguments]
    output = run_python(ROOT / "benchmarks" / f"{program}.py", *flags, cwd=cwd)
    assert [path.name for path in cwd.iterdir()] == ["figures.json"]
    content = json.loads((cwd / "figures.json").read_text("utf-8"))
    assert content["environment"]["cores"] >= 1
    return output, content["results"]
