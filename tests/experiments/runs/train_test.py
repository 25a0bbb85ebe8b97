"""Runs that are stopped at any moment end as if they had not been."""

import os
import shutil
import signal

import numpy as np
import pytest

from tests.experiments.runs.support import QUIET
from tests.experiments.runs.support import Interrupting
from tests.experiments.runs.support import assert_same_checkpoint
from tests.experiments.runs.support import read_results
from tests.experiments.runs.support import run_program
from tests.experiments.runs.support import train_in
from tests.native import cases
from tf_rigl.experiments.runs.run_folder import read_lines


class Stopped(Exception):
    """Ends a run from outside, like the loss of its terminal."""


def stop():
    raise Stopped


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(
    scope="module",
    params=["keras3", pytest.param("keras2", marks=pytest.mark.slow)],
)
def whole(request, tmp_path_factory):
    """The flags of a run, and the folder of one that nothing has stopped."""
    flags = (
        f"--keras={request.param}",
        "--weight_decay=1e-3",
        "--label_smoothing=0.1",
        "--method=set",
        "--metrics_every=0",
    )
    folder = tmp_path_factory.mktemp(request.param)
    train_in(folder, *flags, *QUIET)
    return flags, folder


def epochs_of(folder):
    lines = read_lines(folder / "metrics.jsonl")
    return [
        {name: one for name, one in line.items() if name != "seconds"}
        for line in lines
    ]


@pytest.mark.slow
def test_stopped_twice(whole, tmp_path):
    flags, uninterrupted = whole
    # Checkpoints within epochs, of which the whole run has none.
    again = [*flags, "--checkpoint_every=3", f"--output_dir={tmp_path}", *QUIET]
    # Within an epoch: what is left of it is trained first.
    with pytest.raises(SystemExit) as ended:
        run_program(*again, file=Interrupting("epoch 1/3", terminate))
    assert ended.value.code == 128 + signal.SIGTERM
    newest = max((tmp_path / "checkpoints").glob("*.npz"))
    assert newest.name == "step-000000000005.npz"

    # Where the line of an epoch is written, and its last checkpoint is not.
    with pytest.raises(Stopped):
        run_program(*again, file=Interrupting("epoch 3/3", stop))
    assert len(epochs_of(tmp_path)) == 3
    output = train_in(tmp_path, *again)
    assert "epoch 2/3" not in output
    assert "epoch 3/3" in output

    assert_same_checkpoint(uninterrupted, tmp_path)
    updates = [
        read_lines(folder / "updates.jsonl")
        for folder in (tmp_path, uninterrupted)
    ]
    assert updates[0] == updates[1]
    # In the steps 0, 2, 4, 6 and 8; from step 9 on masks stay.
    assert [line["step"] for line in updates[0]] == [1, 3, 5, 7, 9]
    counts = [line["total"]["updates"] for line in updates[0]]
    assert counts == [1, 2, 3, 4, 5]

    lines = epochs_of(tmp_path)
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert [line["steps"] for line in lines] == [4, 3, 1]
    expected = epochs_of(uninterrupted)
    assert lines[0] == expected[0]
    for name in ("val_loss", "val_accuracy"):
        assert lines[2][name] == expected[2][name]


def test_a_finished_run_is_only_reported(whole):
    flags, folder = whole
    files = {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }
    output = train_in(folder, *flags, *QUIET)
    assert "accuracy" in output
    assert "epoch" not in output
    assert files == {path: path.stat().st_mtime_ns for path in files}
    assert folder / "metrics.jsonl" in files
    assert folder / "steps.jsonl" not in files


def test_results_after_the_last_checkpoint(whole, tmp_path):
    flags, folder = whole
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    before = read_results(tmp_path)
    (tmp_path / "results.json").unlink()
    output = train_in(tmp_path, *flags, *QUIET)
    assert "epoch" not in output
    assert {**read_results(tmp_path), "folder": str(folder)} == before


def test_a_damaged_checkpoint_is_an_error(whole, tmp_path, capsys):
    flags, folder = whole
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "results.json").unlink()
    newest = max((tmp_path / "checkpoints").glob("*.npz"))
    newest.write_bytes(newest.read_bytes()[:-1000])
    code, _ = run_program(*flags, f"--output_dir={tmp_path}", *QUIET)
    assert code == 1
    assert "A checkpoint must be whole" in capsys.readouterr().err


@pytest.mark.slow
@cases.needs_library
def test_connections_alone_learn_the_same(tmp_path):
    losses = []
    for storage in ("masked", "compressed"):
        train_in(tmp_path / storage, f"--storage={storage}", *QUIET)
        losses.append([one["loss"] for one in epochs_of(tmp_path / storage)])
    np.testing.assert_allclose(*losses, rtol=1e-4)


@cases.needs_library
def test_storage_that_a_method_has_changed_resumes(tmp_path):
    flags = ("--storage=auto", "--method=snfs", "--width=0.3", *QUIET)
    train_in(tmp_path / "whole", *flags)
    stopped = tmp_path / "stopped"
    with pytest.raises(Stopped):
        run_program(
            *flags,
            f"--output_dir={stopped}",
            file=Interrupting("epoch 3/3", stop),
        )
    train_in(stopped, *flags)
    assert_same_checkpoint(stopped, tmp_path / "whole")
