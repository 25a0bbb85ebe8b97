import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from tests.support import child_environment
from tf_rigl.experiments.sweeps import processes
from tf_rigl.experiments.sweeps.processes import Job

# Says who it is, and stays.
STAY = """
    import os, pathlib, time
    pathlib.Path("{name}.pid").write_text(str(os.getpid()))
    time.sleep(60)
"""
# Waits until the other one is there, too.
MEET = """
    import pathlib, sys, time
    pathlib.Path("{name}").touch()
    deadline = time.monotonic() + 60
    while not pathlib.Path("{other}").exists():
        if time.monotonic() > deadline: sys.exit("alone")
        time.sleep(0.01)
"""


class Diary:
    def __init__(self, action=lambda: None):
        self.codes = {}
        self.most = 0
        self._action = action

    def __call__(self, running, ended):
        self.most = max(self.most, len(running))
        self.codes.update(ended)
        self._action()


def make_job(folder, name, code, **words):
    lines = textwrap.dedent(code).format(name=folder / name, **words)
    command = [sys.executable, "-S", "-c", lines]
    return Job(name, command, folder / "logs" / f"{name}.txt")


def pid_of(path):
    deadline = time.monotonic() + 60
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.02)
    return int(path.read_text())


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child that nobody waited for is none.
    status = pathlib.Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().split()[2] != "Z"


def test_one_after_the_other_whether_it_fails_or_not(tmp_path):
    jobs = [
        make_job(tmp_path, "bad", "import sys; print('so'); sys.exit('why')"),
        make_job(tmp_path, "good", "print('fine')"),
    ]
    diary = Diary()
    processes.run_all(jobs, 1, os.environ, diary)
    assert list(diary.codes.items()) == [("bad", 1), ("good", 0)]
    assert diary.most == 1
    assert sorted(processes.last_lines(jobs[0].log, 5)) == ["so", "why"]
    # Of a second attempt, what the first has written stays.
    processes.run_all(jobs[1:], 1, os.environ, diary)
    assert processes.last_lines(jobs[1].log, 5) == ["fine", "fine"]
    assert processes.last_lines(jobs[1].log, 1) == ["fine"]
    assert processes.last_lines(tmp_path / "none", 1) == []


def test_so_many_at_once(tmp_path):
    # Each waits for the other, which only comes if they overlap.
    jobs = [
        make_job(tmp_path, "one", MEET, other=tmp_path / "two"),
        make_job(tmp_path, "two", MEET, other=tmp_path / "one"),
    ]
    diary = Diary()
    processes.run_all(jobs, 2, os.environ, diary)
    assert diary.codes == {"one": 0, "two": 0}


def test_an_error_leaves_no_process(tmp_path):
    pids = []

    def fail():
        pids.append(pid_of(tmp_path / "stay.pid"))
        raise OSError("disk full")

    jobs = [make_job(tmp_path, "stay", STAY)]
    with pytest.raises(OSError, match="disk full"):
        processes.run_all(jobs, 1, os.environ, Diary(fail))
    assert not is_alive(pids[0])


@pytest.fixture
def interruptible():
    """Shells start what runs in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_kills_what_does_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "_GRACE_SECONDS", 0.3)
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    pids = []

    def interrupt():
        pids.append(pid_of(tmp_path / "stay.pid"))
        os.kill(os.getpid(), signal.SIGINT)

    jobs = [make_job(tmp_path, "stay", stubborn + textwrap.dedent(STAY))]
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(processes.SweepInterrupted, match="SIGINT") as caught:
        processes.run_all(jobs, 1, os.environ, Diary(interrupt))
    assert caught.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert not is_alive(pids[0])


def test_a_signal_ends_all(tmp_path):
    jobs = [make_job(tmp_path, name, STAY) for name in ("a", "b", "c")]
    program = f"""
        import os, sys
        from pathlib import PosixPath
        from tf_rigl.experiments.sweeps import processes
        from tf_rigl.experiments.sweeps.processes import Job

        try:
            processes.run_all({jobs}, 2, os.environ, lambda *told: None)
        except processes.SweepInterrupted as error:
            sys.exit(error.exit_code)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=child_environment(),
    )
    try:
        pids = [pid_of(tmp_path / f"{name}.pid") for name in "ab"]
        assert all(map(is_alive, pids))
        parent.terminate()
        assert parent.wait(60) == 128 + signal.SIGTERM
        assert not any(map(is_alive, pids))
        assert not (tmp_path / "c.pid").exists()
    finally:
        parent.kill()
        parent.wait()


def test_runs_end_with_a_sweep_that_was_killed(tmp_path):
    follow = """
        import pathlib, time
        from tf_rigl.experiments.runs import __main__ as runner
        runner.follow_stdin()
        pathlib.Path("{name}.pid").write_text("1")
        time.sleep(60)
    """
    command = make_job(tmp_path, "run", follow).command
    run = subprocess.Popen(
        [one for one in command if one != "-S"],
        stdin=subprocess.PIPE,
        env=child_environment(),
    )
    try:
        pid_of(tmp_path / "run.pid")
        # As the system does when it ends whoever holds the other end.
        run.stdin.close()
        assert run.wait(30) == -signal.SIGTERM
    finally:
        run.kill()
        run.wait()


def test_runs_share_the_cores(monkeypatch):
    monkeypatch.setattr(processes, "usable_cores", lambda: 8)
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert "OMP_NUM_THREADS" not in processes.environment_of_share(1)
    shared = processes.environment_of_share(3)
    assert shared["TF_NUM_INTRAOP_THREADS"] == "2"
    assert shared["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert processes.environment_of_share(3)["OMP_NUM_THREADS"] == "5"
    assert processes.environment_of_share(99)["TF_NUM_INTRAOP_THREADS"] == "1"
