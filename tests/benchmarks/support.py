"""Runs a benchmark as a user does."""

import json

from tests.bin.support import python


def run(program, *arguments, cwd):
    """Its output and the content of its JSON file."""
    flags = ["--smoke", "--json=figures.json", *arguments]
    done = python(program.__file__, *flags, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in cwd.iterdir()] == ["figures.json"]
    return done.stdout, json.loads((cwd / "figures.json").read_text("utf-8"))
