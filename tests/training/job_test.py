import importlib.util
import io
import math
import pathlib
import types

import pytest
from rich import console as consoles

from tf_rigl.training import artefacts
from tf_rigl.training import job as jobs
from tf_rigl.training.configuration import Configuration


def files_with(difference):
    return artefacts.ModelFiles(
        pathlib.Path("a"), pathlib.Path("b"), 1, 1, difference
    )


@pytest.mark.parametrize(
    ("difference", "expected"),
    [(0.0, True), (1e-5, True), (1.1e-5, False), (math.nan, False)],
)
def test_matches(difference, expected):
    assert jobs.matches(files_with(difference)) is expected


@pytest.fixture(scope="module")
def job():
    return jobs.prepare(Configuration(compare_dense=True, epochs=10))


def test_output_dir_is_made(tmp_path, job):
    path = tmp_path / "a" / "b"
    assert jobs.make_output_dir(str(path), job) == path
    assert path.is_dir()


def test_only_the_first_worker_writes_to_the_output_dir(tmp_path, job):
    class OtherWorker:
        extended = types.SimpleNamespace(should_checkpoint=False)

    other = job._replace(strategy=OtherWorker())
    folder = jobs.make_output_dir(str(tmp_path / "a"), other)
    assert folder.is_dir()
    assert not (tmp_path / "a").exists()


def test_output_dir_must_not_be_a_file(tmp_path, job):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ValueError, match="`output_dir` must be a folder"):
        jobs.make_output_dir(str(path), job)


def test_prepare_builds_each_model(job):
    assert list(job.models) == ["dense", "rigl"]
    assert job.keras.__name__ == "keras"


def test_prepare_checks_the_batch_size():
    with pytest.raises(ValueError, match="batch_size=20000"):
        jobs.prepare(Configuration(batch_size=20_000))


def test_prepare_asks_for_matplotlib(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'tf_rigl\[plots\]'"):
        jobs.prepare(Configuration())


def test_describe(job):
    output = io.StringIO()
    jobs.describe(job, consoles.Console(file=output, width=80))
    text = output.getvalue()
    assert "fc1" in text
    assert "10 epochs of 78 steps, 780 in all; masks stay from step 585" in text
    assert "Dense" in text
    assert "RigL 98 %" in text


def test_run_fails_when_a_saved_model_differs(tmp_path, monkeypatch):
    job = jobs.prepare(Configuration(method="dense", epochs=1))
    monkeypatch.setattr(
        artefacts, "write_model", lambda *arguments: files_with(0.5)
    )
    output = io.StringIO()
    digits = jobs.load_data(job.configuration)
    console = consoles.Console(file=output, width=80)
    assert not jobs.run(job, digits, tmp_path, console)
    assert "DIFFERS FROM the trained model" in output.getvalue()
