import json
import subprocess
import sys

import pytest

from tests.experiments.runs.support import tiny
from tf_rigl.experiments.runs.run_folder import RunFolder

HOLD = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def begun(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.open(tiny()):
        folder.keep_settings(tiny())
    return folder


def test_a_second_run_stays_out_until_the_first_ends(begun):
    second = RunFolder(begun.path)
    message = "must not be in use by another run"
    with begun.open(tiny()), pytest.raises(ValueError, match=message):
        second.open(tiny()).__enter__()
    with second.open(tiny()):
        pass


def test_a_killed_process_leaves_no_lock(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / ".lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "held\n"
    folder = RunFolder(tmp_path)
    with pytest.raises(ValueError, match="in use by another run"):
        folder.open(tiny()).__enter__()
    holder.kill()
    holder.communicate()
    with folder.open(tiny()):
        pass


def test_contradictions_name_flags_and_both_values(begun):
    message = r"--seed=1 \(it has 0\), --epochs=9 \(it has 3\)"
    with pytest.raises(ValueError, match=message):
        begun.open(tiny(seed=1, epochs=9)).__enter__()
    # The error has let go of the folder.
    with begun.open(tiny(data_dir="elsewhere", steps_per_execution=2)):
        pass


def test_settings_are_kept_once(begun):
    before = begun.configuration.read_text()
    begun.keep_settings(tiny(data_dir="elsewhere"))
    assert begun.configuration.read_text() == before
    assert json.loads(before)["model"] == "lenet_300_100"


def test_a_damaged_configuration(begun):
    begun.configuration.write_text("{")
    with pytest.raises(ValueError, match="json', which can't be read"):
        begun.open(tiny()).__enter__()


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`output_dir` must be a folder"):
        RunFolder(tmp_path / "file" / "run").open(tiny()).__enter__()


def test_other_workers_write_elsewhere(begun):
    other = RunFolder(begun.path, writes=False)
    with begun.open(tiny()), other.open(tiny()):
        assert other.model.parent != begun.path
        assert other.model.parent.is_dir()
        assert other.checkpoints == begun.checkpoints
    assert not other.model.parent.exists()
