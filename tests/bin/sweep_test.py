import json

import pytest

from tests.experiments.runs.support import TINY
from tests.support import BIN
from tests.support import run_python

ARGUMENTS = [
    *(f"--{name}={value}" for name, value in TINY.items()),
    "--epochs=1",
    "--notensorboard",
    "--sparsities=0.9",
    "--output_dir=sweep",
]


def start(folder, *arguments):
    return run_python(BIN / "sweep.py", *ARGUMENTS, *arguments, cwd=folder)


def times(folder):
    return {
        path.parent.name: path.stat().st_mtime_ns
        for path in (folder / "sweep" / "runs").glob("*/results.json")
    }


@pytest.mark.slow
def test_trains_what_is_missing(tmp_path):
    first = start(tmp_path, "--methods=static", "--seeds=1")
    assert "static_0.9_s0  accuracy" in first
    assert "1/1 runs" in first
    before = times(tmp_path)
    assert list(before) == ["static_0.9_s0"]

    more = ("--methods=static,dense", "--seeds=1", "--results_dir=results")
    second = start(tmp_path, *more)
    assert "static_0.9_s0" not in second
    after = times(tmp_path)
    assert after["static_0.9_s0"] == before["static_0.9_s0"]
    assert sorted(after) == ["dense_s0", "static_0.9_s0"]

    results = tmp_path / "results"
    assert sorted(path.name for path in results.iterdir()) == [
        "against_flops.png",
        "against_sparsity.png",
        "results.jsonl",
        "table.md",
    ]

    lines = (results / "results.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["name"] for record in records] == [
        "static_0.9_s0",
        "dense_s0",
    ]
    for record in records:
        folder = tmp_path / "sweep" / "runs" / record["name"]
        stored = json.loads((folder / "results.json").read_text())
        assert record["measures"] == stored["measures"]

    table = (results / "table.md").read_text()
    assert "--methods=static,dense --sparsities=0.9 --seeds=1`" in table
    assert f"| {records[0]['measures']['accuracy']:.2%} |" in table
    assert str(tmp_path) not in table + "".join(lines)
