"""Runs a benchmark as a user does."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(program, *arguments, cwd):
    """Its output and the content of its JSON file."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    done = subprocess.run(
        [
            sys.executable,
            program.__file__,
            "--smoke",
            "--json=figures.json",
            *arguments,
        ],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in cwd.iterdir()] == ["figures.json"]
    content = json.loads((cwd / "figures.json").read_text(encoding="utf-8"))
    return done.stdout, content
